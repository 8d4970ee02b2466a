import { readFileSync, readdirSync, realpathSync } from 'node:fs'
import { afterPack } from './afterPack.mjs'
import { pinnedRuntimes } from './runtime.mjs'
import { shippedPackages } from './shipped.mjs'

/** The program's home page; a release sets its own. */
const HOMEPAGE = process.env.SMALTI_HOMEPAGE ?? 'https://smalti.example'
const EMAIL = process.env.SMALTI_EMAIL ?? 'developers@smalti.example'
const MAINTAINER = `The Smalti developers <${EMAIL}>`

/** Returns installed packages that must not be shipped with the program. */
function otherPackages() {
  const shipped = shippedPackages()
  const names = readdirSync('node_modules').flatMap((name) =>
    name.startsWith('@') ? readdirSync(`node_modules/${name}`).map((own) => `${name}/${own}`) : [name]
  )
  return names.filter((name) => !name.startsWith('.') && !shipped.has(name))
}

/**
 * Returns electron-builder's configuration.
 * @param updates  where later releases are found, and the public key that signs them; without it, the program never
 * checks for updates
 */
export const configuration = (updates) => ({
  appId: 'example.smalti.Smalti',
  productName: 'Smalti',
  copyright: 'The Smalti developers, MIT licence',
  directories: { output: 'dist', buildResources: 'resources/package' },
  extraMetadata: {
    homepage: HOMEPAGE,
    author: { name: 'The Smalti developers', email: EMAIL },
    desktopName: 'smalti.desktop',
    ...(updates && { smaltiUpdates: updates, smaltiRuntimes: pinnedRuntimes(updates.feed) })
  },
  electronVersion: readFileSync('node_modules/electron/dist/version', 'utf8').trim().replace(/^v/, ''),
  electronDist: realpathSync('node_modules/electron/dist'),
  electronLanguages: ['en-US'],
  npmRebuild: false,
  asar: true,
  asarUnpack: ['node_modules/onnxruntime-node/bin/**', 'node_modules/@img/**'],
  files: [
    'out/**',
    'package.json',
    '!out/bench',
    '!out/main/{demo,smalti}.js',
    '!**/*.{map,d.ts,d.mts,d.cts,md,markdown,ts,flow}',
    '!node_modules/**/{test,tests,__tests__,example,examples,docs,.github}/**',
    '!node_modules/geotiff/dist-browser/**',
    '!node_modules/{zod,flatgeobuf}/src/**',
    '!node_modules/flatgeobuf/dist/**',
    '!node_modules/pako/dist/{pako.js,pako.es5.js,*.min.js}',
    '!node_modules/@bokuweb/zstd-wasm/dist/{common,web}/**',
    '!node_modules/proj-wasm/dist/proj.db',
    { from: 'dist/proj', to: 'node_modules/proj-wasm/dist' },
    '!node_modules/onnxruntime-node/bin/napi-v6/!(${platform})/**',
    '!node_modules/onnxruntime-node/bin/napi-v6/*/!(${arch})/**',
    ...otherPackages().map((name) => `!node_modules/${name}/**`)
  ],
  extraResources: [{ from: 'dist/papers', to: 'papers' }],
  afterPack: (context) => afterPack(context, updates),
  publish: updates ? [{ provider: 'generic', url: updates.feed }] : null,
  linux: {
    executableName: 'smalti',
    category: 'Science;Education;Geoscience',
    synopsis: 'find the classes in images without labels',
    description:
      'Smalti finds the classes in a folder of images or large GeoTIFFs without any labels, and exports label masks that open in QGIS.',
    icon: 'resources/package/icons',
    maintainer: MAINTAINER,
    vendor: 'Smalti',
    mimeTypes: ['image/tiff', 'inode/directory'],
    desktop: {
      entry: {
        Name: 'Smalti',
        GenericName: 'Image segmentation',
        Keywords: 'segmentation;clustering;GeoTIFF;land cover;masks;',
        StartupWMClass: 'smalti',
        StartupNotify: 'true'
      }
    }
  },
  deb: {
    compression: 'xz',
    packageCategory: 'science',
    depends: [
      'libc6',
      'libgtk-3-0',
      'libnotify4',
      'libnss3',
      'libxss1',
      'libxtst6',
      'xdg-utils',
      'libatspi2.0-0',
      'libuuid1',
      'libsecret-1-0',
      'libx11-xcb1',
      'libgbm1',
      'libasound2'
    ]
  },
  rpm: {
    depends: ['gtk3', 'nss', 'libXtst', 'xdg-utils', 'at-spi2-core', 'libuuid', 'libX11-xcb', 'mesa-libgbm', 'alsa-lib']
  },
  toolsets: { appimage: '1.0.3' },
  win: { icon: 'resources/package/icons/icon.ico', fileAssociations: TIFF },
  nsis: { oneClick: false, allowToChangeInstallationDirectory: true, deleteAppDataOnUninstall: false },
  mac: {
    icon: 'resources/package/icons/icon.icns',
    category: 'public.app-category.graphics-design',
    hardenedRuntime: true,
    notarize: Boolean(process.env.APPLE_API_KEY),
    fileAssociations: TIFF
  }
})

const TIFF = [{ ext: ['tif', 'tiff'], role: 'Viewer', name: 'TIFF image' }]
