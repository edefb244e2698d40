// Pieces of a word joined pair by pair, the pair of the lowest rank first and of equal ones the first: in n log n steps, as a word may be
// 100,000 letters long. Knows no text around the word.

// The least of what was pushed comes out first: [rank, place, ...], compared by both.
class Heap {
  constructor() { this.items = []; }

  static before([rank, place], [other, there]) { return rank < other || (rank === other && place < there); }

  push(item) {
    const { items } = this;
    let at = items.push(item) - 1;
    for (let above = (at - 1) >> 1; at && Heap.before(item, items[above]); at = above, above = (at - 1) >> 1) items[at] = items[above];
    items[at] = item;
  }

  pop() {
    const { items } = this;
    const [least] = items;
    const last = items.pop();
    if (!items.length) return least;
    let at = 0;
    for (let below = 1; below < items.length; below = 2 * at + 1) {
      if (below + 1 < items.length && Heap.before(items[below + 1], items[below])) below += 1;
      if (!Heap.before(items[below], last)) break;
      items[at] = items[below];
      at = below;
    }
    items[at] = last;
    return least;
  }
}

// Characters become [id, first character, past the last]; `ranks` are of "left right".
export function merged(chars, ids, ranks) {
  const texts = chars.filter((one) => ids.has(one));
  const firsts = chars.flatMap((one, at) => (ids.has(one) ? [at] : []));
  const pasts = firsts.map((at) => at + 1);
  const before = texts.map((_, at) => at - 1);
  const after = texts.map((_, at) => (at + 1 < texts.length ? at + 1 : -1));
  const waiting = new Heap();
  const consider = (left) => {
    if (left < 0 || after[left] < 0) return;
    const [one, other] = [texts[left], texts[after[left]]];
    const rank = ranks.get(`${one} ${other}`);
    if (rank !== undefined) waiting.push([rank, left, one, other]);
  };
  texts.forEach((_, at) => consider(at));
  while (waiting.items.length) {
    const [, left, one, other] = waiting.pop();
    const right = after[left];
    if (texts[left] !== one || right < 0 || texts[right] !== other) continue; // one of them has been joined meanwhile
    texts[left] = one + other;
    texts[right] = null;
    pasts[left] = pasts[right];
    after[left] = after[right];
    if (after[right] >= 0) before[after[right]] = left;
    consider(before[left]);
    consider(left);
  }
  return texts.flatMap((text, at) => (text === null ? [] : [[ids.get(text), firsts[at], pasts[at]]]));
}
