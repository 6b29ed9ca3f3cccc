/** Sentences of the checks of `helm test` (files/test/installed.mjs) in front of a store that can read items. */
export const HELM_TEST_CHECKS = [
  'a new item is created',
  'the same item is a duplicate',
  'the item is read back unchanged',
  'Redis has one primary',
] as const
