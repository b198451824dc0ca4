/**
 * Whom the user ignores: a person where the server knows them by a key, under any name and on any
 * device; otherwise a name, in any spelling.
 */

import { foldName } from "../text/fold";

/** What is known of an author: the name, the session, and the number of the person that has claimed the name. */
export interface Author {
  from: string;
  session?: number | undefined;
  person?: number | null | undefined;
}

/** Somebody who is ignored: the name under which they were, and the number of the person; null: it goes by the name. */
type Entry = readonly [name: string, person: number | null];

/** Returns the number by which an author may be a person: a session that claims a name gives the person its own. */
function numberOf({ session, person }: Author): number | null {
  return person ?? session ?? null;
}

/** Whom the user ignores. It is replaced by another one when it changes. */
export class Ignored {
  /** Who is ignored, nobody twice. */
  readonly entries: readonly Entry[];
  /** Names by which it goes. */
  readonly #names = new Set<string>();
  readonly #persons = new Set<number>();

  private constructor(entries: Iterable<Entry>) {
    this.entries = [...entries].filter(([name, person]) => {
      const isNew = person === null ? !this.#names.has(name) : !this.#persons.has(person);
      if (person === null) this.#names.add(name);
      else this.#persons.add(person);
      return isNew;
    });
  }

  /** Reads what {@link stored} has made: names, with the person's number behind a space if there is one. */
  static of(stored: readonly string[]): Ignored {
    const entries = stored.map((it): Entry => {
      const [name = "", person] = it.split(" ");
      return [name, person ? Number(person) : null];
    });
    return new Ignored(entries);
  }

  /** What is kept in the browser. */
  get stored(): string[] {
    return this.entries.map(([name, person]) => (person === null ? name : `${name} ${person}`));
  }

  /** Whether what this author has written is not shown. */
  hides(author: Author): boolean {
    return this.#names.has(foldName(author.from)) || this.#persons.has(numberOf(author) ?? -1);
  }

  /** Whether somebody is ignored. If only the name is known: whether anybody was under it. */
  has(author: Author): boolean {
    const name = foldName(author.from);
    return numberOf(author) === null ? this.entries.some(([it]) => it === name) : this.hides(author);
  }

  /** Ignores the person, or the name if nobody has claimed it. */
  with(author: Author): Ignored {
    return this.has(author) ? this : new Ignored([...this.entries, [foldName(author.from), author.person ?? null]]);
  }

  /** Ends that: for all who were ignored under the name, and for the person also under another one. */
  without(author: Author): Ignored {
    const [key, number] = [foldName(author.from), numberOf(author)];
    return new Ignored(this.entries.filter(([name, person]) => name !== key && (person === null || person !== number)));
  }

  /** Goes by names only: in another log, the persons have other numbers. */
  byName(): Ignored {
    return new Ignored(this.entries.map(([name]) => [name, null]));
  }
}
