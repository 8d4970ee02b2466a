import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'

const MOST = 5
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** Addresses that only machines of the own network can reach, or this one itself. */
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

export function isPrivate(ip: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1]
  const plain = mapped ?? ip
  return PRIVATE.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4')
}

const resolved = async (host: string): Promise<string[]> =>
  (await lookup(host, { all: true })).map(({ address }) => address)

/**
 * Why a server may not lead on to another address, where it may not: away from an encrypted connection, or from outside into the own
 * network, where it could reach what it cannot reach itself.
 * @param addressesOf  of a host, as the system resolves it
 */
export async function refusalToFollow(from: URL, to: URL, addressesOf = resolved): Promise<string | undefined> {
  if (!/^https?:$/.test(to.protocol)) return `the server leads to an address of another kind (${to.protocol})`
  if (from.protocol === 'https:' && to.protocol === 'http:') return 'the server leads away from an encrypted connection'
  const within = async ({ hostname }: URL): Promise<boolean> => {
    const host = hostname.replace(/^\[|\]$/g, '')
    return (isIP(host) ? [host] : await addressesOf(host)).some(isPrivate)
  }
  return (await within(to)) && !(await within(from)) ? 'the server leads to an address within this network' : undefined
}

/** `fetch` that follows a few redirects where they may lead. @param refused  makes the error */
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
  throw refused('the server leads from one address to the next')
}
