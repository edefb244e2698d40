// tokenizer.json in the browser: a text becomes token ids with the place of each in the text. Does what the library tokenizers does for
// the kinds named here, no others (deploy/space/static/reading.py refuses those). Knows no task.

import { aligned, isSpace, normalised, part } from "./characters.js";
import { merged } from "./merging.js";
import { isPunctuation } from "./tables.js";

const SPLIT = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

// Runs of [begin, end) of a text's characters that `apart` parts: "removed" leaves a character out, "alone" gives it a run of its own.
function runs(text, apart) {
  const found = [];
  let begin = 0;
  text.chars.forEach((character, at) => {
    const how = apart(character);
    if (!how) return;
    if (at > begin) found.push([begin, at]);
    if (how === "alone") found.push([at, at + 1]);
    begin = at + 1;
  });
  if (text.chars.length > begin) found.push([begin, text.chars.length]);
  return found.map(([from, to]) => part(text, from, to));
}

// Runs of the characters that a regular expression matches, and of those between.
function matched(text, pattern, between) {
  const places = []; // of each UTF-16 unit, the number of its character
  text.chars.forEach((character, at) => { for (let unit = 0; unit < character.length; unit += 1) places.push(at); });
  places.push(text.chars.length);
  const found = [];
  let begin = 0;
  for (const match of text.chars.join("").matchAll(pattern)) {
    const [from, to] = [places[match.index], places[match.index + match[0].length]];
    if (between && from > begin) found.push(part(text, begin, from));
    if (to > from) found.push(part(text, from, to));
    begin = to;
  }
  if (between && begin < text.chars.length) found.push(part(text, begin, text.chars.length));
  return found;
}

const BYTES = (() => { // byte -> the printable character that byte-level vocabularies write for it
  const made = [];
  let next = 256;
  for (let byte = 0; byte < 256; byte += 1) {
    const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    made.push(String.fromCodePoint(printable ? byte : next));
    if (!printable) next += 1;
  }
  return made;
})();
const utf8 = new TextEncoder();

function byteLevel(text, { add_prefix_space, use_regex }) {
  if (add_prefix_space && text.chars.length && text.chars[0] !== " ") { // no other white space counts
    text = { chars: [" ", ...text.chars], starts: [text.starts[0], ...text.starts], ends: [text.ends[0], ...text.ends] };
  }
  const pieces = use_regex === false ? [text] : matched(text, SPLIT, true);
  return pieces.map((piece) => {
    const made = { chars: [], starts: [], ends: [] };
    piece.chars.forEach((character, at) => {
      for (const byte of utf8.encode(character)) {
        made.chars.push(BYTES[byte]);
        made.starts.push(piece.starts[at]);
        made.ends.push(piece.ends[at]);
      }
    });
    return made;
  });
}

// By the type that tokenizer.json names: one text becomes several.
const PRE_TOKENIZERS = {
  BertPreTokenizer: (text) => runs(text, (one) => (isSpace(one) ? "removed" : "")).flatMap((word) => runs(word, (one) => (isPunctuation(one) ? "alone" : ""))),
  WhitespaceSplit: (text) => runs(text, (one) => (isSpace(one) ? "removed" : "")),
  ByteLevel: byteLevel,
  Sequence: (text, { pretokenizers }) => pretokenizers.reduce((texts, settings) => texts.flatMap((one) => preTokenized(one, settings)), [text]),
};

function preTokenized(text, settings) {
  return settings ? PRE_TOKENIZERS[settings.type](text, settings).filter((one) => one.chars.length) : [text];
}

// A word of characters becomes [id, first character, past the last].
function wordPiece({ vocab, unk_token, continuing_subword_prefix, max_input_chars_per_word }) {
  const ids = new Map(Object.entries(vocab));
  let longest = 0; // not Math.max(...): a vocabulary is too long for a list of arguments
  for (const token of ids.keys()) longest = Math.max(longest, token.length);
  const unknown = ids.get(unk_token);
  return (chars) => {
    if (chars.length > max_input_chars_per_word) return [[unknown, 0, chars.length]];
    const pieces = [];
    for (let start = 0; start < chars.length;) {
      let end = Math.min(chars.length, start + longest);
      let found;
      for (; end > start; end -= 1) {
        found = ids.get((start ? continuing_subword_prefix : "") + chars.slice(start, end).join(""));
        if (found !== undefined) break;
      }
      if (found === undefined) return [[unknown, 0, chars.length]];
      pieces.push([found, start, end]);
      start = end;
    }
    return pieces;
  };
}

function wordLevel({ vocab, unk_token }) {
  const ids = new Map(Object.entries(vocab));
  return (chars) => {
    const id = ids.get(chars.join("")) ?? ids.get(unk_token);
    return id === undefined ? [] : [[id, 0, chars.length]];
  };
}

function bytePairs({ vocab, merges, ignore_merges }) {
  const ids = new Map(Object.entries(vocab));
  const ranks = new Map(merges.map((pair, rank) => [typeof pair === "string" ? pair : pair.join(" "), rank]));
  return (chars) => {
    const whole = ids.get(chars.join(""));
    if (ignore_merges && whole !== undefined) return [[whole, 0, chars.length]];
    return merged(chars, ids, ranks);
  };
}

const MODELS = { WordPiece: wordPiece, WordLevel: wordLevel, BPE: bytePairs };

// What stands around one text and around two: [{special: [ids], type}] and [{of: 0 or 1, type}].
function template(settings) {
  const roles = { TemplateProcessing: named, BertProcessing: bertTemplate, RobertaProcessing: robertaTemplate };
  const inner = settings?.type === "Sequence" ? settings.processors.find(({ type }) => type in roles) : settings;
  const plain = { single: [{ of: 0, type: 0 }], pair: [{ of: 0, type: 0 }, { of: 1, type: 1 }] };
  return inner && inner.type in roles ? roles[inner.type](inner) : plain;
}

function named({ single, pair, special_tokens }) {
  const read = (pieces) => pieces.map(({ SpecialToken: special, Sequence: sequence }) => (special
    ? { special: special_tokens[special.id].ids, type: special.type_id }
    : { of: sequence.id === "A" ? 0 : 1, type: sequence.type_id }));
  return { single: read(single), pair: read(pair) };
}

function bertTemplate({ cls: [, cls], sep: [, sep] }) {
  const single = [{ special: [cls], type: 0 }, { of: 0, type: 0 }, { special: [sep], type: 0 }];
  return { single, pair: [...single, { of: 1, type: 1 }, { special: [sep], type: 1 }] };
}

function robertaTemplate({ cls: [, cls], sep: [, sep] }) {
  const single = [{ special: [cls], type: 0 }, { of: 0, type: 0 }, { special: [sep], type: 0 }];
  return { single, pair: [...single, { special: [sep], type: 0 }, { of: 1, type: 0 }, { special: [sep], type: 0 }] };
}

// What leaves white space out of the places of tokens, in turn.
function trims(settings) { return (settings?.type === "Sequence" ? settings.processors : [settings]).filter((one) => one?.trim_offsets); }

const isTrimmed = (character) => character === "Ġ" || isSpace(character);

// Byte-level tokens begin with the space before their word. A single one before the first token may be the one that was added: it stays.
function trimmed({ written, start, end }, first, { add_prefix_space }) {
  let leading = 0;
  while (leading < written.length && isTrimmed(written[leading])) leading += 1;
  let trailing = 0;
  while (trailing < written.length && isTrimmed(written[written.length - 1 - trailing])) trailing += 1;
  if (!(leading === 1 && add_prefix_space && (first || start === 0))) start = Math.min(start + leading, end);
  if (end >= trailing) end = Math.max(end - trailing, start);
  return { start, end };
}

export class Tokenizer {
  constructor(json) {
    this.settings = json;
    this.pieces = MODELS[json.model.type ?? "WordPiece"](json.model);
    this.template = template(json.post_processor);
    this.trims = trims(json.post_processor);
    const tokens = json.added_tokens.map((token) => ({ ...token, written: [...token.content] }));
    this.asWritten = tokens.filter(({ normalized }) => !normalized);
    this.asRead = tokens.filter(({ normalized }) => normalized)
      .map((token) => ({ ...token, written: normalised(aligned(token.written), json.normalizer).chars }));
  }

  // Tokens of one text: [{id, start, end, word, written: its characters}], without special tokens around it; those in it are recognised.
  tokens(text) {
    const split = this.apart(aligned([...text]), this.asWritten)
      .flatMap((piece) => (piece.token ? [piece] : this.apart(normalised(piece, this.settings.normalizer), this.asRead)))
      .flatMap((piece) => (piece.token ? [piece] : preTokenized(piece, this.settings.pre_tokenizer)));
    return split.flatMap((piece, word) => (piece.token ? [[piece.token.id, 0, piece.chars.length]] : this.pieces(piece.chars))
      .map(([id, first, past]) => {
        return { id, word, written: piece.chars.slice(first, past), start: piece.starts[first], end: piece.ends[past - 1] };
      }));
  }

  // Their places without white space; each window has a first token of its own.
  placed(tokens) {
    return this.trims.reduce((told, settings) => told.map((token, at) => ({ ...token, ...trimmed(token, !at, settings) })), tokens);
  }

  // A text cut at the added tokens in it, the longest of those that begin first.
  apart(text, tokens) {
    const { chars } = text;
    const found = [];
    let begin = 0;
    for (let at = 0; at < chars.length;) {
      const token = tokens.filter((one) => this.stands(one, chars, at)).sort((one, other) => other.written.length - one.written.length)[0];
      if (!token) { at += 1; continue; }
      let [from, to] = [at, at + token.written.length];
      while (token.lstrip && from > begin && isSpace(chars[from - 1])) from -= 1;
      while (token.rstrip && to < chars.length && isSpace(chars[to])) to += 1;
      if (from > begin) found.push(part(text, begin, from));
      found.push({ ...part(text, from, to), token });
      begin = to;
      at = to;
    }
    if (begin < chars.length) found.push(part(text, begin, chars.length));
    return found;
  }

  stands({ written, single_word }, chars, at) {
    if (!written.length || !written.every((character, place) => chars[at + place] === character)) return false;
    const inWord = (place) => place >= 0 && place < chars.length && /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]$/u.test(chars[place]);
    return !(single_word && (inWord(at - 1) || inWord(at + written.length)));
  }

  get around() { return { single: this.specials("single"), pair: this.specials("pair") }; }

  specials(kind) { return this.template[kind].reduce((count, { special }) => count + (special?.length ?? 0), 0); }

  // Features of one or two lists of tokens, special tokens around them.
  features(texts) {
    const made = { input_ids: [], attention_mask: [], token_type_ids: [], offsets: [], words: [] };
    const add = (id, type, offset, word) => {
      made.input_ids.push(id);
      made.attention_mask.push(1);
      made.token_type_ids.push(type);
      made.offsets.push(offset);
      made.words.push(word);
    };
    for (const { special, of, type } of this.template[texts.length > 1 ? "pair" : "single"]) {
      if (special) special.forEach((id) => add(id, type, [0, 0], null));
      else this.placed(texts[of]).forEach(({ id, start, end, word }) => add(id, type, [start, end], word));
    }
    return made;
  }

  // See processing.FastProcessor.text: what does not fit is cut from the longer of the two.
  text(a, b, maxLength) {
    const texts = b === null || b === undefined ? [this.tokens(a)] : [this.tokens(a), this.tokens(b)];
    const room = maxLength - this.around[texts.length > 1 ? "pair" : "single"];
    const whole = texts.reduce((count, tokens) => count + tokens.length, 0);
    if (whole <= room) return { ...this.features(texts), cut: 0 };
    const kept = texts.length > 1 ? shares(texts[0].length, texts[1].length, room) : [room];
    return { ...this.features(texts.map((tokens, at) => tokens.slice(0, kept[at]))), cut: whole - room };
  }

  // See processing.FastProcessor.windows, for one text.
  windows(a, maxLength, stride) {
    const tokens = this.tokens(a);
    const room = maxLength - this.around.single;
    const step = room - Math.max(0, Math.min(stride, Math.floor(room / 2)));
    const made = [];
    for (let begin = 0; begin === 0 || begin - step + room < tokens.length; begin += step) {
      made.push({ ...this.features([tokens.slice(begin, begin + room)]), cut: 0 });
    }
    return made;
  }
}

// How many tokens two texts keep in the room for both: the longer one loses first.
function shares(first, second, room) {
  const swap = first > second;
  let [short, long] = swap ? [second, first] : [first, second];
  long = short > room ? short : Math.max(short, room - short);
  if (short + long > room) {
    short = Math.floor(room / 2);
    long = short + (room % 2);
  }
  return swap ? [long, short] : [short, long];
}
