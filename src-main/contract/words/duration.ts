/** Writes a duration in its largest units: `40 s`, `2 min 58 s`, `1 h 3 min`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const hours = h > 0 && `${h} h`
  const minutes = m > 0 && `${m} min`
  const rest = h === 0 && (s > 0 || m === 0) && `${s} s`
  return [hours, minutes, rest].filter(Boolean).join(' ')
}
