// An Express application with Auth.js, and a page that says who is logged in.
import { ExpressAuth, getSession } from '@auth/express'
import express from 'express'
import { latchkey } from './auth.config.js'

const config = { providers: [latchkey], secret: process.env.AUTH_SECRET, trustHost: true }
const app = express()
app.use('/auth', ExpressAuth(config))
app.get('/', async (request, response) => response.json(await getSession(request, config)))
app.listen(process.env.PORT, 'localhost')
