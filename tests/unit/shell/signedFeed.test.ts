import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { checkFeed, checkSignature } from '../../../src-main/shell/updates/signedFeed.ts'

const pair = generateKeyPairSync('ed25519')
const key = pair.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
const text = 'version: 1.2.3\npath: smalti_1.2.3_amd64.deb\n'
const signed = sign(null, Buffer.from(text), pair.privateKey).toString('base64')
const refusal = (reason: string): object =>
  expect.objectContaining({
    name: 'UpdateNotTrusted',
    details: { reason: expect.stringContaining(reason) as string }
  }) as object

describe('an update feed', () => {
  it('is trusted with a signature by the release’s own key', () => {
    expect(() => checkSignature(text, `${signed}\n`, key)).not.toThrow()
  })
  it.each([
    ['another text', text.replace('1.2.3', '1.2.4'), signed, 'signed by someone else'],
    [
      'another key',
      text,
      sign(null, Buffer.from(text), generateKeyPairSync('ed25519').privateKey).toString('base64'),
      'signed by someone else'
    ],
    ['no signature', text, '', "isn't signed"],
    ['a web page in place of the signature', text, '<html>not found</html>', "isn't signed"]
  ])('is not trusted with %s', (_, of, signature, reason) => {
    expect(() => checkSignature(of, signature, key)).toThrow(refusal(reason) as Error)
  })
  it('must be encrypted, or come from this machine', () => {
    expect(checkFeed('https://example.org/smalti').hostname).toBe('example.org')
    expect(checkFeed('http://127.0.0.1:8000/').port).toBe('8000')
    for (const address of [
      'http://example.org/',
      'file:///tmp/feed',
      'http://127.0.0.1.example.org/',
      'ftp://example.org'
    ])
      expect(() => checkFeed(address)).toThrow(refusal("isn't encrypted") as Error)
  })
})
