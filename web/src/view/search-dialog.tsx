/** Searching: the field and the results. */

import { useState } from "preact/hooks";
import type { FoundMessage } from "../engine/events";
import { foldName } from "../text/fold";
import { reasonText } from "../text/reasons";
import { safeLine, safeText } from "../text/safe";
import { hueClass, useShared } from "./context";
import { Dialog } from "./dialog";
import { beginSearch } from "./typed";

/** Search in all rooms. */
export function SearchDialog() {
  const { model, l10n, actions, ignored } = useShared();
  const { search } = model;
  const [wrong, setWrong] = useState<string | null>(null);
  // Who looks for what an ignored person wrote wants to see it.
  const shown = foldName(search.query.from ?? "");
  const isHidden = (it: FoundMessage) => !it.own && ignored.hides(it) && foldName(it.from) !== shown;
  const [query, setQuery] = useState(search.typed);
  return (
    <Dialog title={l10n.text("search")} class="wide">
      <form
        class="field-row"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          if (query.trim()) setWrong(beginSearch(query.trim(), model));
          model.onChange();
        }}
      >
        <label for="search-field">{l10n.text("search-label")}</label>
        <input id="search-field" enterkeyhint="search" dir="auto" autofocus value={query} onInput={(event) => setQuery(event.currentTarget.value)} />
        <button class="primary" type="submit">{l10n.text("search-go")}</button>
      </form>
      <p class="hint" role="status">
        {wrong !== null && l10n.text("search-wrong", { piece: wrong })}
        {search.state === "searching" && l10n.text("search-searching")}
        {search.error && reasonText(l10n, search.error)}
        {search.state === "done" && search.results.length === 0 && l10n.text("search-none")}
      </p>
      <ol class="results">
        {search.results.map((found) => (
          <li key={found.seq}>
            <button
              type="button"
              class="result"
              onClick={() => {
                actions.show(null);
                model.goTo(found.room, found.seq);
              }}
            >
              <span class="message-head">
                <span class={`author ${hueClass(found.from)}`}><bdi>{safeLine(found.from)}</bdi></span>
                <span class="choice-note"><bdi>#{safeLine(found.room)}</bdi></span>
                {found.time && <time dateTime={found.time}>{l10n.moment(Date.parse(found.time))}</time>}
              </span>
              <span class="text" dir="auto">
                {isHidden(found) ? l10n.text("ignored-message", { name: found.from }) : safeText(found.text)}
              </span>
            </button>
          </li>
        ))}
      </ol>
      {search.before !== null && search.state === "done" && (
        <button
          type="button"
          onClick={() => {
            search.more();
            model.onChange();
          }}
        >
          {l10n.text("search-more")}
        </button>
      )}
    </Dialog>
  );
}
