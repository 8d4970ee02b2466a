import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'
import { tensorflowModules } from './resources/setup/tensorflowModules.ts'
import { WORKERS } from './tests/fixtures/workers.ts'

export default defineConfig({
  plugins: [svelte()],
  resolve: { alias: tensorflowModules },
  test: {
    include: ['tests/{unit,integration,e2e}/**/*.test.ts'],
    server: { deps: { inline: [/@tensorflow\/tfjs-(core|backend-cpu)/] } },
    maxWorkers: WORKERS,
    setupFiles: ['tests/fixtures/ownCores.ts'],
    // What the program remembers of this machine is the user's, not the tests'.
    env: { XDG_CACHE_HOME: join(tmpdir(), 'smalti-tests-cache') },
    // Limits are there to end what hangs: no outcome depends on how fast a machine is, or what else it does.
    testTimeout: 900_000,
    hookTimeout: 900_000,
    expect: { poll: { timeout: 240_000, interval: 50 } }
  }
})
