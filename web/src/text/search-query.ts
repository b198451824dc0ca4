/** Typed searches: words, phrases, and filters such as `from:anna`, as in the terminal's client. */

/** What is searched for: fields of the request `search`. */
export interface SearchQuery {
  text: string;
  from?: string;
  room?: string;
  since?: string;
  until?: string;
}

/** Fields of the request by the filters' names, in English and in German. */
const FILTERS: Record<string, "from" | "room" | "since" | "until"> = {
  from: "from",
  in: "room",
  after: "since",
  before: "until",
  von: "from",
  nach: "since",
  vor: "until",
};

/** Pieces between blanks; blanks in double quotes are part of a piece. */
const PIECES = /(?:"[^"]*(?:"|$)|[^\s"])+/gu;

/** Parses a day, a day and a time, `today` or `yesterday` (also in German) by the local clock; null if it is none of them. */
function parseTime(text: string): string | null {
  const today = new Date();
  today.setHours(0, 0, 0, 0);
  const isYesterday = text === "yesterday" || text === "gestern";
  if (isYesterday) today.setDate(today.getDate() - 1);
  if (isYesterday || text === "today" || text === "heute") return today.toISOString();
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d)?$/.test(text)) return null;
  // Without a time, a browser would take the day for that of UTC.
  const time = new Date(text.includes("T") ? text : `${text}T00:00`);
  return Number.isNaN(time.getTime()) || time.getTime() < 0 ? null : time.toISOString();
}

/** Parses a typed search. Returns the piece that is wrong if there is one. */
export function parseSearch(typed: string): SearchQuery | { wrong: string } {
  const query: SearchQuery = { text: "" };
  const words: string[] = [];
  for (const [piece] of typed.matchAll(PIECES)) {
    const [, name = "", rest = ""] = /^(\p{L}+):(.*)$/su.exec(piece) ?? [];
    const field = FILTERS[name.toLowerCase()];
    const value = rest.replace(/^"|"$/g, "");
    if (!field) {
      // A misspelt filter; an address, or a word before a colon, is text.
      if (name && value && !value.startsWith("//")) return { wrong: piece };
      words.push(piece);
      continue;
    }
    const isTime = field === "since" || field === "until";
    const meant = isTime ? parseTime(value) : value.replace(/^[@#]/, "");
    if (!meant || query[field] !== undefined) return { wrong: piece };
    query[field] = meant;
  }
  return { ...query, text: words.join(" ") };
}
