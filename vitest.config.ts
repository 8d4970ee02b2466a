import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'
import { tensorflowModules } from './resources/setup/tensorflowModules.ts'

export default defineConfig({
  plugins: [svelte()],
  resolve: { alias: tensorflowModules },
  test: {
    include: ['tests/{unit,integration,e2e}/**/*.test.ts'],
    server: { deps: { inline: [/@tensorflow\/tfjs-(core|backend-cpu)/] } },
    // Training uses every core; tests beside it would only wait for each other.
    fileParallelism: false,
    // What the program remembers of this machine is the user's, not the tests'.
    env: { XDG_CACHE_HOME: join(tmpdir(), 'smalti-tests-cache') },
    testTimeout: 180_000,
    hookTimeout: 120_000
  }
})
