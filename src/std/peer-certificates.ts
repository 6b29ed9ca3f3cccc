/**
 * Remembers when the certificates of the peers of this process expire. There is one memory for the process: the TLS options
 * of a connection are far from the place that exports metrics, and several connections have the same peer.
 */
import { checkServerIdentity } from 'node:tls'

/** `redis`: the lock service or a standalone server. `store`: the `https` store. */
export type TlsPeer = 'redis' | 'sentinel' | 'cache' | 'store' | 'etcd' | 'zookeeper'

export interface PeerCertificates {
  /**
   * Returns TLS options that check the name of the peer as Node does, and remember when its certificate expires. A session
   * that is resumed shows no certificate.
   */
  readonly watch: (peer: TlsPeer) => { readonly checkServerIdentity: typeof checkServerIdentity }
  /** Returns the end of the certificate that each peer has shown at its latest connection, in milliseconds since the epoch. */
  readonly expiries: () => ReadonlyMap<TlsPeer, number>
}

export const peerCertificates: PeerCertificates = createPeerCertificates()

export function createPeerCertificates(): PeerCertificates {
  const expiries = new Map<TlsPeer, number>()
  return {
    watch: (peer) => ({
      checkServerIdentity(host, certificate) {
        const endMs = Date.parse(certificate.valid_to)
        if (!Number.isNaN(endMs)) expiries.set(peer, endMs)
        return checkServerIdentity(host, certificate)
      },
    }),
    expiries: () => expiries,
  }
}
