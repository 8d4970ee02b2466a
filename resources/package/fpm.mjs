#!/usr/bin/env node
/**
 * Replaces fpm, which electron-builder calls and few systems have: translates its arguments for nfpm, a single program
 * without dependencies. The variable NFPM names it.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const values = {}
const contents = []
const args = process.argv.slice(2)
for (let i = 0; i < args.length; i++) {
  const arg = args[i]
  if (arg === '--force') continue
  if (!arg.startsWith('-')) {
    const [src, dst] = arg.split('=')
    if (src !== 'dir')
      contents.push(statSync(src).isDirectory() ? { src, dst, type: 'tree' } : { src, dst, file_info: { mode: 0o644 } })
    continue
  }
  const value = args[++i]
  ;(values[arg] ??= []).push(value)
}
const one = (name) => values[name]?.at(-1)
const [target, name, version, maintainer] = ['-t', '--name', '--version', '--maintainer'].map(one)

// Some systems deny user namespaces to programs without an AppArmor profile. The binary behind the script needs one.
for (const { src, type } of contents.filter((entry) => entry.type === 'tree')) {
  const profile = join(src, 'resources', 'apparmor-profile')
  if (type && existsSync(profile))
    writeFileSync(profile, readFileSync(profile, 'utf8').replaceAll(`/${name}"`, `/${name}-bin"`))
}

const work = mkdtempSync(join(tmpdir(), 'smalti-package-'))
try {
  const own = (file, bytes, dst) => {
    writeFileSync(join(work, file), bytes)
    contents.push({ src: join(work, file), dst, file_info: { mode: 0o644 } })
  }
  own('smalti.1.gz', gzipSync(readFileSync(at('debian/smalti.1')), { level: 9 }), '/usr/share/man/man1/smalti.1.gz')
  if (target === 'deb') {
    own('copyright', readFileSync(at('debian/copyright')), `/usr/share/doc/${name}/copyright`)
    own('overrides', readFileSync(at('debian/lintian-overrides')), `/usr/share/lintian/overrides/${name}`)
    const written = new Date(1000 * Number(process.env.SOURCE_DATE_EPOCH ?? Date.now() / 1000))
      .toUTCString()
      .replace('GMT', '+0000')
    own(
      'changelog.gz',
      gzipSync(
        `${name} (${version}) stable; urgency=medium\n\n  * Release ${version}.\n\n -- ${maintainer}  ${written}\n`,
        { level: 9 }
      ),
      `/usr/share/doc/${name}/changelog.gz`
    )
  }
  const [synopsis, ...description] = one('--description').split('\n')
  const config = {
    name,
    version,
    maintainer,
    arch: one('--architecture'),
    platform: 'linux',
    section: one('--category'),
    priority: one('--deb-priority') ?? 'optional',
    description: [
      synopsis,
      ...description.map((line) =>
        line
          .trim()
          .replace(/(.{1,72})(?: |$)/g, '$1\n')
          .trim()
      )
    ].join('\n'),
    vendor: one('--vendor'),
    homepage: one('--url'),
    license: one('--license'),
    depends: values['-d'],
    contents,
    scripts: { postinstall: one('--after-install'), postremove: one('--after-remove') },
    deb: { compression: one('--deb-compression') },
    rpm: { compression: 'xz', summary: synopsis }
  }
  // JSON is valid YAML.
  writeFileSync(join(work, 'nfpm.yaml'), JSON.stringify(config))
  const { status, stderr, error } = spawnSync(
    process.env.NFPM,
    [
      'package',
      '--config',
      join(work, 'nfpm.yaml'),
      '--packager',
      target === 'pacman' ? 'archlinux' : target,
      '--target',
      one('--package')
    ],
    { encoding: 'utf8' }
  )
  if (error) throw error
  if (status !== 0) throw new Error(`nfpm: ${stderr.trim()} (${readdirSync(work).join(', ')})`)
} finally {
  rmSync(work, { recursive: true, force: true })
}
