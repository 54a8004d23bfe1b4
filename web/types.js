/**
 * What the API answers, as the page uses it. Absent and null both mean: not
 * reported by this source.
 *
 * @typedef {object} Port
 * @property {number} containerPort
 * @property {string | null} [proto]
 * @property {string | null} [hostIp]
 * @property {number | null} [hostPort]
 *
 * @typedef {object} Stats
 * @property {number | null} [cpuPercent]
 * @property {number | null} [memUsage]
 * @property {number | null} [memLimit]
 * @property {number | null} [netRxBytes]
 * @property {number | null} [netTxBytes]
 * @property {number | null} [blockReadBytes]
 * @property {number | null} [blockWriteBytes]
 * @property {number | null} [pids]
 *
 * @typedef {object} Engine
 * @property {string | null} [version]
 * @property {string | null} [apiVersion]
 * @property {string | null} [os]
 * @property {string | null} [kernel]
 * @property {string | null} [arch]
 * @property {number | null} [cpus]
 * @property {number | null} [memTotal]
 *
 * @typedef {object} Host
 * @property {string} hostId
 * @property {string | null} hostname
 * @property {string} source
 * @property {string} receivedAt
 * @property {string | null} reportedAt
 * @property {boolean} stale
 * @property {number} containerCount
 * @property {number} goneCount
 * @property {string | null} agentVersion
 * @property {Engine | null} engine
 * @property {string[]} capabilities
 * @property {string | null} [linkedSource]
 * @property {string | null} [error]
 * @property {number | null} [clockSkewS]
 * @property {Machine[] | null} [conflict]
 *
 * @typedef {{hostname: string | null, address: string | null, lastSeenAt: string}} Machine
 *
 * @typedef {object} ContainerRow
 * @property {string} id
 * @property {string} name
 * @property {string} image
 * @property {string} state
 * @property {string | null} [status]
 * @property {string | null} [createdAt]
 * @property {string | null} [startedAt]
 * @property {string | null} [finishedAt]
 * @property {number | null} [exitCode]
 * @property {boolean | null} [oomKilled]
 * @property {number | null} [restartCount]
 * @property {string | null} [restartPolicy]
 * @property {string | null} [health]
 * @property {Port[] | null} [ports]
 * @property {{name: string, ip?: string | null}[] | null} [networks]
 * @property {Record<string, string> | null} [labels]
 * @property {Stats | null} [stats]
 * @property {string} [goneAt]
 *
 * @typedef {object} DetailFields
 * @property {string | null} [imageId]
 * @property {{type?: string | null, source?: string | null, destination: string, rw?: boolean | null}[] | null} [mounts]
 * @property {{key: string, value?: string | null}[] | null} [env]
 * @property {string | null} [entrypoint]
 * @property {string | null} [command]
 *
 * @typedef {ContainerRow & DetailFields} Container
 *
 * @typedef {object} ContainerDetail
 * @property {Host} host
 * @property {Container} container
 * @property {string | null} goneAt
 *
 * @typedef {object} Changes
 * @property {string} revision
 * @property {boolean} full
 * @property {boolean} more whether there is more than this answer holds
 * @property {number} staleAfterMs
 * @property {string} agentVersion
 * @property {{host: Host, containers: ContainerRow[]}[]} hosts
 * @property {string[]} removed
 *
 * @typedef {object} AgentToken
 * @property {string} id
 * @property {string} hostId
 * @property {string} createdAt
 * @property {string | null} revokedAt
 * @property {string | null} lastUsedAt
 * @property {string | null} lastAddress
 *
 * @typedef {object} Refusal
 * @property {string | null} hostId
 * @property {string | null} address
 * @property {string} kind
 * @property {string} detail
 * @property {number} count
 * @property {string} firstAt
 * @property {string} lastAt
 *
 * @typedef {object} Source
 * @property {string} hostId
 * @property {string} kind
 * @property {string} address
 * @property {string | null} caFile
 * @property {string | null} certFile
 * @property {string | null} keyFile
 * @property {string | null} hostKey
 * @property {boolean} linked
 * @property {string} state
 * @property {string | null} error
 * @property {string | null} warning
 *
 * @typedef {object} SourceTest
 * @property {boolean} ok
 * @property {string | null} problem
 * @property {string | null} detail
 * @property {string | null} hostKey
 * @property {Engine | null} engine
 * @property {string | null} warning
 *
 * @typedef {object} AuditEntry
 * @property {number} id
 * @property {string} at
 * @property {string | null} endedAt
 * @property {string | null} actor
 * @property {string | null} token
 * @property {string | null} address
 * @property {string} action
 * @property {string | null} hostId
 * @property {string | null} target
 * @property {string} outcome
 * @property {string | null} detail
 *
 * @typedef {{username: string, role: "admin" | "member"}} User
 * @typedef {{token: string, expiresAt: string, user: User}} SignedIn
 * @typedef {User & {id: string, name: string, createdAt: string, expiresAt: string, lastUsedAt: string | null, lastAddress: string | null}} AccessToken
 * @typedef {User & {createdAt: string, lastLoginAt: string | null}} Account
 *
 * A container as the list shows it.
 * @typedef {object} Row
 * @property {string} key names the container across recreations
 * @property {Host} host
 * @property {ContainerRow} container
 * @property {import("./state.js").Standing} standing
 * @property {string} text what is searched; put together when it is first wanted
 */
export {};
