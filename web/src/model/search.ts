/** A search: its words, and what it has found. */

import type { ChatRequest, ErrorEvent, FoundMessage } from "../engine/events";
import type { SearchQuery } from "../text/search-query";

/** Results that are asked for at a time. */
const PAGE = 30;

/** State of the search. */
export class Search {
  /** As it was typed. */
  typed = "";
  /** What is searched for. */
  query: SearchQuery = { text: "" };
  state: "idle" | "searching" | "done" | "failed" = "idle";
  /** Newest first. */
  results: FoundMessage[] = [];
  /** Sequence before which there are more; null if there are none. */
  before: number | null = null;
  /** Why the search was refused. */
  error: Pick<ErrorEvent, "name" | "text"> | null = null;
  readonly #request: (request: ChatRequest) => string;
  #id: string | null = null;
  #page: FoundMessage[] = [];

  constructor(request: (request: ChatRequest) => string) {
    this.#request = request;
  }

  /** Forgets the last search: what was typed now is none. */
  reset(): void {
    this.#id = null;
    Object.assign(this, { state: "idle", results: [], before: null, error: null });
  }

  /** Begins a search for what was typed and parsed. */
  start(typed: string, query: SearchQuery): void {
    this.query = query;
    Object.assign(this, { typed, results: [], before: null, error: null });
    this.#ask(null);
  }

  /** Asks for older results. */
  more(): void {
    if (this.before !== null && this.state === "done") this.#ask(this.before);
  }

  #ask(before: number | null): void {
    this.state = "searching";
    this.#page = [];
    this.#id = this.#request({ type: "search", ...this.query, limit: PAGE, ...(before === null ? {} : { before }) });
  }

  /** Handles a result, or the end of the results. */
  handle(event: FoundMessage | { type: "search_end"; before: number | null; id?: string }): void {
    if (event.id !== this.#id) return;
    if (event.type === "found") {
      this.#page.unshift(event);
      return;
    }
    this.results = [...this.results, ...this.#page];
    this.before = event.before;
    this.state = "done";
  }

  /** Handles an error. Returns false if it is not about this search. */
  fail(event: ErrorEvent): boolean {
    if (!this.#id || event.id !== this.#id) return false;
    this.state = "failed";
    this.error = event;
    return true;
  }
}
