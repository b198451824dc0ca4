/**
 * The catalogues of the page's texts, one file for each language: a browser loads that of its own only. This is a
 * script of its own, which is so small that it runs long before the page's script is there. So the texts come beside it.
 */

import { chooseLanguage } from "./language";
import type { Pattern } from "./pattern";

/** The texts of a language, by their ids. */
export interface Catalogue {
  language: string;
  texts: Record<string, Pattern>;
}

/** Loads the catalogue for a user who reads these languages. Fails if that cannot be loaded. */
export async function loadCatalogue(wanted: readonly string[]): Promise<Catalogue> {
  const language = chooseLanguage(wanted, Object.keys(CATALOGUE_FILES));
  const answer = await fetch(CATALOGUE_FILES[language]!);
  if (!answer.ok) throw new Error(answer.statusText);
  return { language, texts: (await answer.json()) as Catalogue["texts"] };
}

/** The catalogue for the browser's languages, which is on its way. */
export const catalogue = loadCatalogue(navigator.languages);

// Whoever waits for it handles that it cannot be loaded.
catalogue.catch(() => undefined);
