// What a visitor is told in place of an answer: a name in the page's catalogue of words, and the values in it.
export class Problem extends Error {
  constructor(name, values = {}) {
    super(name);
    this.told = { name, values };
  }
}
