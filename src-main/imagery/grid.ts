export interface Size {
  width: number
  height: number
}

/** A rectangle of whole pixels. */
export interface Window extends Size {
  left: number
  top: number
}
