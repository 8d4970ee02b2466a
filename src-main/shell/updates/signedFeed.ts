import { createPublicKey, verify } from 'node:crypto'
import { SmaltiError } from '../../contract/errors.ts'

/** Appended to the name of a feed's file for its signature. */
export const SIGNATURE_ENDING = '.sig'

/**
 * Checks that a feed comes from the release before any hash in it is trusted.
 * @param signature  Ed25519 over the bytes of the text, base64
 * @param key        the public key, SPKI DER in base64
 * @throws UpdateNotTrusted
 */
export function checkSignature(text: string, signature: string, key: string): void {
  const refuse = (reason: string): never => {
    throw new SmaltiError('UpdateNotTrusted', { reason })
  }
  const bytes = Buffer.from(signature.trim(), 'base64')
  if (bytes.length !== 64) refuse("its description isn't signed")
  if (
    !verify(
      null,
      Buffer.from(text),
      createPublicKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' }),
      bytes
    )
  )
    refuse('its description is signed by someone else, or was changed')
}

/** Accepts feeds over https, or from this machine. */
export function checkFeed(address: string): URL {
  const url = new URL(address)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && url.hostname === '127.0.0.1'))
    throw new SmaltiError('UpdateNotTrusted', { reason: "its address isn't encrypted" })
  return url
}
