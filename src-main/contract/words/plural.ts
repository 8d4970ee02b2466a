/** A count with its noun in the singular or the plural: `1 image`, `14 images`, `1,200 classes`. */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString('en-GB')} ${count === 1 ? one : many}`
