/**
 * Whether a source that a person named is an address on a server; all others are paths of this computer. Asked where
 * sources enter; readers get a `Location`.
 */
export const isAddress = (source: string): boolean => /^https?:\/\/./i.test(source)
