/** The command palette, the list of shortcuts, and why a command can't be used now. */
export const commands = {
  palette: 'Command palette',
  shortcuts: 'Keyboard shortcuts',
  find: 'Find a command',
  findHint: 'What do you want to do?',
  list: 'Commands',
  noMatches: 'No matching commands',
  pan: 'Pan',
  panKeys: 'Shift+arrows',
  addToSelection: 'Add to selection',
  addToSelectionKeys: 'Ctrl+click'
}

export const unavailable = {
  noImages: 'Open images first.',
  busy: 'Wait until the current job finishes.',
  notSegmented: 'Segment first.',
  noClassSelected: 'Select a class first.',
  noImageShown: 'Open an image first.',
  imageNotSegmented: 'This image is not segmented.',
  noBrush: 'Select the brush first.',
  nothingToPause: 'Nothing to pause.',
  nothingToStop: 'Nothing to stop.',
  nothingToUndo: 'Nothing to undo.',
  nothingToRedo: 'Nothing to redo.',
  selectTwo: 'Select two or more classes: Ctrl+click in the list or on the image.',
  selectMerged: 'Select one class that has several clusters.',
  allShown: 'All images are shown.',
  firstImage: 'This is the first image.',
  lastImage: 'This is the last image.'
}
