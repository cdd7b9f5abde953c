// Which kinds of file libvips may open in a process: the four that people send, and the SVG that this
// program draws itself (numbers and plots), which no file of anybody else's may reach.

import sharp from 'sharp';

/** libvips' names of what opens a file that lies in memory */
const NEEDED = [
  'VipsForeignLoadPngBuffer',
  'VipsForeignLoadJpegBuffer',
  'VipsForeignLoadWebpBuffer',
  'VipsForeignLoadNsgifBuffer',
  'VipsForeignLoadSvgBuffer',
];

/** For the whole process, from now on. `pictureKind` stands before; this is what holds if it fails. */
export function blockOtherLoaders(): void {
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: NEEDED });
}
