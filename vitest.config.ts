import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'
import { tensorflowModules } from './resources/setup/tensorflowModules.ts'
import { WORKERS } from './tests/fixtures/workers.ts'

/** How the tests run: in two workers, with generous limits. */
export default defineConfig({
  plugins: [svelte()],
  resolve: { alias: tensorflowModules },
  test: {
    include: ['tests/{unit,integration,e2e}/**/*.test.ts'],
    server: { deps: { inline: [/@tensorflow\/tfjs-(core|backend-cpu)/] } },
    maxWorkers: WORKERS,
    setupFiles: ['tests/fixtures/ownCores.ts'],
    // The tests must not touch what the program remembers about this machine.
    env: { XDG_CACHE_HOME: join(tmpdir(), 'smalti-tests-cache') },
    // Time limits only end tests that hang; no result depends on the machine's speed or load.
    testTimeout: 900_000,
    hookTimeout: 900_000,
    expect: { poll: { timeout: 240_000, interval: 50 } }
  }
})
