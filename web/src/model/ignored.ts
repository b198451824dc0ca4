/**
 * Whom the user ignores: a person where the server knows them by a key, under any name and on any
 * device; otherwise a name, in any spelling.
 */

import { foldName } from "../text/fold";

/** What is known of an author: the name, and the number of the person that has claimed it. */
export interface Author {
  from: string;
  person?: number | null | undefined;
}

/** Whom the user ignores. It is replaced by another one when it changes. */
export class Ignored {
  /** Numbers of the persons by the names under which they were ignored; null: it goes by the name. */
  readonly #persons: ReadonlyMap<string, number | null>;

  private constructor(persons: Iterable<[string, number | null]>) {
    this.#persons = new Map(persons);
  }

  /** Reads what {@link stored} has made: names, with the person's number behind a space if there is one. */
  static of(stored: readonly string[]): Ignored {
    const entries = stored.map((it): [string, number | null] => {
      const [name = "", person] = it.split(" ");
      return [name, person ? Number(person) : null];
    });
    return new Ignored(entries);
  }

  /** What is kept in the browser. */
  get stored(): string[] {
    return [...this.#persons].map(([name, person]) => (person === null ? name : `${name} ${person}`));
  }

  /** The names under which somebody was ignored. */
  get names(): string[] {
    return [...this.#persons.keys()];
  }

  /** Whether a name was ignored. */
  has(name: string): boolean {
    return this.#persons.has(foldName(name));
  }

  /** Whether what this author has written is not shown. */
  hides({ from, person }: Author): boolean {
    const key = foldName(from);
    return [...this.#persons].some(([name, known]) => (known === null ? name === key : known === person));
  }

  /** Ignores a name, or the person that has it. */
  with(name: string, person: number | null): Ignored {
    return new Ignored([...this.#persons, [foldName(name), person]]);
  }

  /** Ends that. */
  without(name: string): Ignored {
    const key = foldName(name);
    return new Ignored([...this.#persons].filter(([it]) => it !== key));
  }

  /** Goes by names only: in another log, the persons have other numbers. */
  byName(): Ignored {
    return new Ignored([...this.#persons.keys()].map((it) => [it, null]));
  }
}
