/**
 * `npm run release:sign -- FOLDER` signs the descriptions of a release, `latest*.yml`, with the key in
 * SMALTI_SIGNING_KEY (Ed25519, PKCS8 DER in base64). `--new-key` makes a key pair; packages get the public key through
 * SMALTI_UPDATE_KEY.
 */
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder = 'dist'] = process.argv.slice(2)
if (folder === '--new-key') {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  console.log(`SMALTI_UPDATE_KEY=${publicKey.export({ format: 'der', type: 'spki' }).toString('base64')}`)
  console.log(`SMALTI_SIGNING_KEY=${privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64')}`)
} else {
  const { SMALTI_SIGNING_KEY } = process.env
  if (!SMALTI_SIGNING_KEY) throw new Error('SMALTI_SIGNING_KEY is not set. Create a key with --new-key.')
  const key = createPrivateKey({ key: Buffer.from(SMALTI_SIGNING_KEY, 'base64'), format: 'der', type: 'pkcs8' })
  const names = readdirSync(folder).filter((name) => /^latest.*\.yml$/.test(name))
  if (names.length === 0) throw new Error(`${folder} contains no release description (latest*.yml).`)
  for (const name of names) {
    writeFileSync(
      join(folder, `${name}.sig`),
      `${sign(null, readFileSync(join(folder, name)), key).toString('base64')}\n`
    )
    console.log(`${name}.sig`)
  }
}
