import { answer } from '../dialogue.mjs'
import { config } from './configuration.mjs'

answer({ ...config.serverMetadata(), pkce: config.serverMetadata().supportsPKCE() })
