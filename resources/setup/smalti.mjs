#!/usr/bin/env node
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const built = new URL('../../out/main/smalti.js', import.meta.url)
if (!existsSync(built)) {
  const { status } = spawnSync(process.execPath, [fileURLToPath(new URL('setup.mjs', import.meta.url))], {
    stdio: ['ignore', 2, 2]
  })
  if (status !== 0) process.exit(1)
}
await import(built.href)
