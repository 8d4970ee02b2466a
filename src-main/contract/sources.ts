/**
 * Whether a source is a URL; all others are paths on this computer. Used where sources enter; readers get a `Location`.
 */
export const isAddress = (source: string): boolean => /^https?:\/\/./i.test(source)
