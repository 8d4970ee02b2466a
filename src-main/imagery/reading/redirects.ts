import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'

const MOST = 5
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** Addresses that only computers of the private network, or this computer itself, can reach. */
const PRIVATE = new BlockList()
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16]
] as const)
  PRIVATE.addSubnet(net, bits)
for (const [net, bits] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10]
] as const)
  PRIVATE.addSubnet(net, bits, 'ipv6')

/** Whether an address is inside a private network or on this computer. */
export function isPrivate(ip: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1]
  const plain = mapped ?? ip
  return PRIVATE.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4')
}

const resolved = async (host: string): Promise<string[]> =>
  (await lookup(host, { all: true })).map(({ address }) => address)

/**
 * Explains why a redirect must not be followed, or returns undefined if it may. Redirects may not leave an encrypted
 * connection or lead from the internet into the private network, which a server could not reach by itself.
 * @param addressesOf  resolves a host to addresses, by default as the system does
 */
export async function refusalToFollow(from: URL, to: URL, addressesOf = resolved): Promise<string | undefined> {
  if (!/^https?:$/.test(to.protocol)) return `the server redirects to an unsupported kind of URL (${to.protocol})`
  if (from.protocol === 'https:' && to.protocol === 'http:')
    return 'the server redirects from https to an unencrypted connection'
  const within = async ({ hostname }: URL): Promise<boolean> => {
    const host = hostname.replace(/^\[|\]$/g, '')
    return (isIP(host) ? [host] : await addressesOf(host)).some(isPrivate)
  }
  return (await within(to)) && !(await within(from)) ? 'the server redirects into your private network' : undefined
}

/** Works like `fetch`, but follows only a few redirects, and only permitted ones. @param refused  creates the error */
export async function fetchFollowing(
  address: string,
  options: RequestInit,
  refused: (reason: string) => Error
): Promise<Response> {
  let at = new URL(address)
  for (let hop = 0; hop <= MOST; hop++) {
    const response = await fetch(at, { ...options, redirect: 'manual' })
    const location = response.headers.get('location')
    if (!REDIRECTS.has(response.status) || location === null) return response
    await response.body?.cancel()
    const to = new URL(location, at)
    const reason = await refusalToFollow(at, to)
    if (reason !== undefined) throw refused(reason)
    at = to
  }
  throw refused('the server redirects too many times')
}
