import { z } from 'zod'
import { HEADS } from '../settings.ts'

export const folder = z.string().min(1)
/** Folders and files of images, and URLs of GeoTIFFs. */
export const sources = z.array(z.string().min(1)).min(1)
export const head = z.enum(HEADS)
/** The `stateId` of the history that the caller knows. It detects changes that someone else made meanwhile. */
export const knownState = z.string()
