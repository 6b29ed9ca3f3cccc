/** Texts of the environment. */

/** Returns the text without white space at its ends; undefined if it is empty. */
export function textOf(value: string | undefined): string | undefined {
  const text = value?.trim()
  return text === '' ? undefined : text
}
