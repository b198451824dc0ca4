import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message } from "../../src/model/message";
import { makeRows } from "../../src/view/rows";
import { ListWindow } from "../../src/view/window";

/** A message of bob, `minutes` after noon. */
function message(seq: number, minutes = 0, more: Partial<Message> = {}): Message {
  const time = new Date(2026, 10, 22, 12, minutes).getTime();
  return { seq, time, from: "bob", style: "said", text: "hi", own: false, ...more };
}

/** Messages with the sequences 1 to `count`. */
function messages(count: number): Message[] {
  return Array.from({ length: count }, (_, at) => message(at + 1));
}

test("window shows few of many messages, and moves to both ends", () => {
  const all = messages(40_000);
  const list = new ListWindow();
  assert.deepEqual(list.stretch(all), { from: 39_850, to: 40_000 });
  let moves = 0;
  while (list.moveUp(all)) {
    moves += 1;
    const { from, to } = list.stretch(all);
    assert.ok(to - from === 150 && moves < 1_000);
  }
  assert.equal(list.stretch(all).from, 0);
  while (list.moveDown(all)) moves += 1;
  assert.ok(list.followsNewest && list.stretch(all).to === 40_000);
});

test("window goes to a message, and follows the newest if it shows them", () => {
  const list = new ListWindow();
  const messages = Array.from({ length: 1_000 }, (_, at) => ({ seq: at + 1 }) as Message);
  list.center(messages, 400);
  const { from, to } = list.stretch(messages);
  assert.ok(from < 350 && to > 450 && to - from === 150 && !list.followsNewest);
  list.center(messages, 990);
  assert.ok(list.followsNewest);
});

test("window keeps its messages when others come before and after", () => {
  const all = messages(400);
  const list = new ListWindow();
  list.hold(all);
  const more = [message(-2), message(-1), ...all, message(401)];
  assert.equal(more[list.stretch(more).to - 1]!.seq, 400);
});

test("days, what is new and authors are marked", () => {
  const all = [
    message(1),
    message(2, 1),
    message(3, 30),
    message(4, 31, { from: "carl" }),
    message(5, 24 * 60, { from: "carl", gap: true }),
    message(6, 24 * 60, { from: "carl" }),
  ];
  const rows = makeRows(all, 0, all.length, 3).map((it) => (it.kind === "message" ? `${it.message.seq}${it.isFirst ? "!" : ""}` : it.kind));
  assert.deepEqual(rows, ["day", "1!", "2", "3!", "new", "4!", "day", "5!", "gap", "6!"]);
  assert.deepEqual(makeRows(all, 1, 2, null).length, 1);
});
