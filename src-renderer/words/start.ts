/** The start page. */
export const start = {
  heading: 'Find the classes in your images',
  hint: 'Drop images or folders here. No labels needed, and nothing leaves this computer.',
  drop: 'Drop to open',
  choose: 'Choose folder…',
  url: 'GeoTIFF URL',
  urlHint: 'Or paste a GeoTIFF URL',
  open: 'Open',
  sample: 'Try sample images',
  formats: 'PNG, JPEG, WebP, TIFF and GeoTIFF of any size. Subfolders are included.',
  recent: 'Recent projects',
  inFolder: (folder: string) => `in ${folder}`
}
