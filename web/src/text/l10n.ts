/** The page's texts in the user's language, and dates and times in it. */

import type { Catalogue } from "./catalogues";
import { type Argument, formatPattern } from "./pattern";
import { safeLine } from "./safe";

/** Arguments of a text. */
export type Args = Record<string, Argument>;

/** Returns a function that makes something when it is called first. */
function lazy<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** Texts, dates and times in a language. */
export class L10n {
  readonly language: string;
  readonly #texts: Catalogue["texts"];
  // The first of these takes a slow phone 0.3 s: the form for the name does without.
  readonly #clock: () => Intl.DateTimeFormat;
  readonly #day: () => Intl.DateTimeFormat;
  readonly #moment: () => Intl.DateTimeFormat;
  readonly #relative: () => Intl.RelativeTimeFormat;

  /** `locales`: the user's languages with regions, which say how times are written. */
  constructor({ language, texts }: Catalogue, locales: readonly string[]) {
    this.language = language;
    this.#texts = texts;
    const regional = locales.find((it) => it.startsWith(this.language)) ?? this.language;
    const format = (options: Intl.DateTimeFormatOptions) => lazy(() => new Intl.DateTimeFormat(regional, options));
    this.#clock = format({ timeStyle: "short" });
    this.#day = format({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
    this.#moment = format({ dateStyle: "medium", timeStyle: "short" });
    this.#relative = lazy(() => new Intl.RelativeTimeFormat(regional, { numeric: "auto" }));
  }

  /**
   * Returns a text; null if there is none with this id. Texts among the arguments may come from strangers: they are
   * made safe here, and not the result, which has the invisible characters that keep their direction apart.
   */
  find(id: string, args: Args = {}): string | null {
    const pattern = this.#texts[id];
    if (pattern === undefined) return null;
    const safe = Object.entries(args).map(([name, it]) => [name, typeof it === "string" ? safeLine(it) : it] as const);
    return formatPattern(pattern, Object.fromEntries(safe), this.language);
  }

  /** Returns a text. One that is missing is its id: a test finds it. */
  text(id: string, args: Args = {}): string {
    return this.find(id, args) ?? id;
  }

  /** Returns the time of day. */
  clock(time: number): string {
    return this.#clock().format(time);
  }

  /** Returns day and time. */
  moment(time: number): string {
    return this.#moment().format(time);
  }

  /** Returns a length of time. `unit`: such as `minute`. */
  duration(count: number, unit: string): string {
    return new Intl.NumberFormat(this.language, { style: "unit", unit, unitDisplay: "long" }).format(count);
  }

  /** Returns the day: today, yesterday or the date. */
  day(time: number): string {
    const days = Math.round((startOfDay(time) - startOfDay(Date.now())) / 86_400_000);
    return days === 0 || days === -1 ? this.#relative().format(days, "day") : this.#day().format(time);
  }
}

/** Returns the time at which the local day of a time starts. */
export function startOfDay(time: number): number {
  return new Date(time).setHours(0, 0, 0, 0);
}
