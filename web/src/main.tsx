/** Starts the page. */

import { render } from "preact";
import { Session } from "./session";
import { L10n } from "./text/l10n";
import { App } from "./view/app";

/** Loads the engine and begins. What a browser cannot do is said in its language. */
async function main(): Promise<void> {
  const l10n = new L10n(navigator.languages);
  document.documentElement.lang = l10n.language;
  const root = document.querySelector("#page");
  if (!root) return;
  try {
    const module = await WebAssembly.compileStreaming(fetch(ENGINE_FILE));
    const session = new Session(module, l10n, (shared) => render(<App {...shared} />, root));
    await session.begin();
  } catch (error) {
    console.error(error);
    render(
      <main class="entrance">
        <div class="card">
          <h1>{l10n.text("broken-title")}</h1>
          <p>{l10n.text("broken-text")}</p>
          <button type="button" class="primary" onClick={() => location.reload()}>{l10n.text("reload")}</button>
        </div>
      </main>,
      root,
    );
  }
}

void main();
