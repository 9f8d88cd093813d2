import { describe, expect, it } from 'vitest';
import { staticFiles } from '../../src/checks/static-files.ts';
import type { Fact, InsideFact, MountView, NginxFact, Webroot } from '../../src/model/facts.ts';
import type { MountSpec } from '../../src/model/stack.ts';
import { findingsOf, httpTry, logOf, reasonsOf, stopped } from './attempts.ts';
import { fact, gap, makeService, makeStack, NOW } from './make.ts';

const ROOT = '/srv/www';
const HOST = '/src/p/site/dist';
const SHA = 'aa'.repeat(32);
const OTHER_SHA = 'bb'.repeat(32);
const FORBIDDEN = { status: 403, sha256: OTHER_SHA, body: '<center>nginx</center>' };

type Sample = Webroot['samples'][number];

const sample = (answer: object = {}, parts: Partial<Sample> = {}): Sample => {
  const file = parts.file ?? 'index.html';
  const url = parts.url ?? `http://172.18.0.3:80/${file}`;
  return { file, url, hostSha256: SHA, http: httpTry({ url, pathFrom: 'guess', answer: { sha256: SHA, ...answer } }), ...parts };
};

const folder = (parts: Partial<Webroot> = {}): Webroot => ({
  path: ROOT,
  destination: ROOT,
  hostPath: HOST,
  host: { exists: true, files: 5, newest: NOW, hasIndex: true, readableByAll: true, unreadable: null },
  inside: { entries: 5, inode: 7 },
  hostInode: 7,
  samples: [sample(), sample({}, { file: 'app.js' })],
  missingAssets: [],
  ...parts,
});

const host = (parts: Partial<NonNullable<Webroot['host']>>): Pick<Webroot, 'host'> => ({ host: { ...folder().host!, ...parts } });

const view = (parts: Partial<MountView> = {}): MountView => ({
  destination: ROOT,
  root: HOST,
  deleted: false,
  fsType: 'ext4',
  readOnly: true,
  ...parts,
});

const inside = (mount: MountView, via: InsideFact['via'] = 'proc'): Fact<InsideFact> =>
  fact({ container: 'p-front-1', via, listeners: [], peers: [], mounts: [mount], processes: [], processesKnown: false });

const bind = (source: string, destination: string): MountSpec & { name: null } => ({
  type: 'bind',
  source,
  destination,
  readOnly: true,
  name: null,
});

const nginxFact = (roots: [string, string][] = [[ROOT, '/']], upstreams: string[] = []): NginxFact => ({
  container: 'p-front-1',
  files: [{ path: '/etc/nginx/nginx.conf', hostPath: null, modifiedAt: null }],
  roots: roots.map(([path, location]) => ({ path, server: '', location, at: '/etc/nginx/conf.d/site.conf:3' })),
  listens: [80],
  upstreams: upstreams.map((location) => ({ host: 'app', port: 8000, scheme: 'http', location, at: 'site.conf:9', literal: true })),
  test: null,
  proxied: [],
  upstreamErrors: [],
});

interface Case {
  folders?: Webroot[];
  inside?: Fact<InsideFact>;
  nginx?: NginxFact;
  mounts?: (MountSpec & { name: null })[];
  log?: string[];
}

const judge = ({
  folders = [folder()],
  inside: seen = inside(view()),
  nginx = nginxFact(),
  mounts = [bind(HOST, ROOT)],
  log = [],
}: Case) => {
  const service = makeService({ name: 'front', role: 'nginx', containers: [{ mounts }] });
  const facts = { webroot: fact({ folders }), inside: seen, nginx: fact(nginx), logs: fact(logOf('p-front-1', log)) };
  return staticFiles.evaluate({ service, stack: makeStack({ services: [service] }), facts, peers: {}, now: NOW });
};

describe('what is found', () => {
  const cases: [string, Case, string[]][] = [
    [
      'the folder was deleted and made anew under the mount',
      {
        folders: [folder({ inside: { entries: 0, inode: 7 }, hostInode: 9, samples: [sample(FORBIDDEN)] })],
        inside: inside(view({ deleted: true })),
      },
      ['stale-mount'],
    ],
    [
      'two folders of one mount: the topmost stands for it',
      { folders: [folder({ path: `${ROOT}/assets`, hostPath: `${HOST}/assets`, hostInode: 9 }), folder({ hostInode: 9 })] },
      ['stale-mount'],
    ],
    ['the same by inodes alone', { folders: [folder({ hostInode: 9 })] }, ['stale-mount']],
    [
      'renamed, and its old files still served with 200',
      { folders: [folder({ hostInode: 9, samples: [sample({ sha256: OTHER_SHA })] })], inside: inside(view({ root: `${HOST}.old` })) },
      ['stale-mount'],
    ],
    [
      'renamed, seen through an exec without inodes',
      {
        folders: [folder({ hostInode: null, inside: null, samples: [sample({ sha256: OTHER_SHA })] })],
        inside: inside(view({ root: `${HOST}.old` }), 'exec'),
      },
      ['stale-mount'],
    ],
    [
      'made anew, and not built yet: both',
      { folders: [folder({ ...host({ files: 0, hasIndex: false }), hostInode: 9, samples: [] })], inside: inside(view({ deleted: true })) },
      ['stale-mount', 'not-built'],
    ],
    [
      'deleted for good',
      {
        folders: [folder({ ...host({ exists: false, files: 0 }), hostInode: null, samples: [] })],
        inside: inside(view({ deleted: true })),
      },
      ['not-built'],
    ],
    ['empty', { folders: [folder({ ...host({ files: 0, hasIndex: false }), samples: [] })] }, ['not-built']],
    ['a file that is no page', { folders: [folder({ ...host({ files: 1, hasIndex: false }), samples: [] })] }, ['not-built']],
    [
      'an empty volume',
      { folders: [folder({ hostPath: null, host: null, inside: { entries: 0, inode: null }, samples: [] })] },
      ['not-built'],
    ],
    [
      'a folder that the mount lacks',
      { folders: [folder({ path: `${ROOT}/en`, hostPath: `${HOST}/en`, ...host({ exists: false }), samples: [] })] },
      ['wrong-folder'],
    ],
    [
      'build output that the mounted project lacks',
      { folders: [folder({ path: `${ROOT}/dist`, hostPath: `${HOST}/dist`, ...host({ exists: false }), samples: [] })] },
      ['not-built'],
    ],
    ['a root beside the mount', { folders: [], nginx: nginxFact([['/srv/pages', '/']]) }, ['wrong-folder']],
    [
      'a root elsewhere, that nginx complains of',
      {
        folders: [],
        nginx: nginxFact([['/usr/share/nginx/html', '/']]),
        log: ['*1 directory index of "/usr/share/nginx/html/" is forbidden'],
      },
      ['wrong-folder'],
    ],
    [
      'modes that forbid to read',
      { folders: [folder({ ...host({ readableByAll: false }), samples: [sample(FORBIDDEN)] })] },
      ['unreadable'],
    ],
    [
      'a file that may not be read',
      { folders: [folder({ ...host({ unreadable: `${HOST}/index.html` }), samples: [sample(FORBIDDEN)] })] },
      ['unreadable'],
    ],
    [
      'a folder that the workers may not enter, where try_files makes 500 of it',
      { folders: [folder({ ...host({ unreadable: HOST }), samples: [sample({ ...FORBIDDEN, status: 500 })] })] },
      ['unreadable'],
    ],
    [
      'the welcome page',
      {
        folders: [
          folder({
            samples: [
              sample({ sha256: OTHER_SHA, body: '<html><title>Welcome to nginx!</title>' }),
              sample({ status: 404 }, { file: 'app.js' }),
            ],
          }),
        ],
      },
      ['default-page'],
    ],
    [
      'an asset that was not built',
      { folders: [folder({ missingAssets: ['_astro/site.1234.css', '_astro/site.5678.js'] })] },
      ['missing-assets'],
    ],
    ['other bytes', { folders: [folder({ samples: [sample({ sha256: OTHER_SHA })] })] }, ['different-bytes']],
    [
      'other bytes in the page alone, as sub_filter makes them',
      { folders: [folder({ samples: [sample({ sha256: OTHER_SHA }), sample({}, { file: 'app.js' })] })] },
      ['different-bytes:warn'],
    ],
    ['404 for a file that is there', { folders: [folder({ samples: [sample({ status: 404 })] })] }, ['not-served']],
    [
      'a denied kind of file beside a page that is served',
      { folders: [folder({ samples: [sample(), sample({ status: 403 }, { file: 'app.js.map' })] })] },
      ['not-served:warn'],
    ],
    [
      'nginx does not answer',
      { folders: [folder({ samples: [{ ...sample(), http: httpTry({ trial: stopped('tcp', 'refused') }) }] })] },
      ['not-served'],
    ],
  ];
  it.each(cases)('%s', (_, given, expected) => expect(reasonsOf(judge(given))).toEqual(expected));

  it('takes the stale mount for the reason of the 403, not the empty folder that it shows', () => {
    const [finding] = findingsOf(
      judge({
        folders: [folder({ inside: { entries: 0, inode: 7 }, hostInode: 9, samples: [sample(FORBIDDEN)] })],
        inside: inside(view({ deleted: true })),
      }),
    );
    expect(finding?.message).toBe(`front still holds the deleted folder ${HOST} at ${ROOT}; the one on the host now has 5 files`);
    expect(finding?.evidence).toContainEqual({ source: 'mountinfo of front', text: `${ROOT} is ${HOST}//deleted` });
    expect(finding?.values).toEqual({ path: ROOT, hostPath: HOST });
  });
});

describe('what is healthy', () => {
  const cases: [string, Case][] = [
    ['served byte for byte', {}],
    [
      'seen over HTTP alone: no exec, no /proc (FA-21, FA-29)',
      { inside: gap('no shell'), folders: [folder({ inside: null, hostInode: null })] },
    ],
    ['the same folder on a file system of its own, or in a subvolume', { inside: inside(view({ root: '/@home/p/site/dist' })) }],
    ['a symbolic link as source', { inside: inside(view({ root: '/src/p/site/builds/42' })) }],
    [
      'other inode numbers behind file sharing of a VM (FA-29)',
      { folders: [folder({ hostInode: 9 })], inside: inside(view({ root: '/host_mnt/src/p/site/dist' }), 'exec') },
    ],
    ['behind a login', { folders: [folder({ samples: [sample({ status: 401, sha256: OTHER_SHA })] })] }],
    ['sent on to https', { folders: [folder({ samples: [sample({ status: 301, sha256: OTHER_SHA })] })] }],
    ['modes that forbid others, while nginx may read', { folders: [folder(host({ readableByAll: false }))] }],
    [
      'a page that an app answers',
      { nginx: nginxFact([[ROOT, '/static/']], ['/']), folders: [folder({ samples: [sample({ sha256: OTHER_SHA })] })] },
    ],
    [
      "the image's own error pages beside the mount",
      {
        nginx: nginxFact([
          [ROOT, '/'],
          ['/usr/share/nginx/html', '= /50x.html'],
        ]),
      },
    ],
    ['a filled volume', { folders: [folder({ hostPath: null, host: null, inside: { entries: 4, inode: null }, samples: [] })] }],
  ];
  it.each(cases)('%s', (_, given) => expect(reasonsOf(judge(given))).toEqual([]));
});

describe('does not apply, or could not look', () => {
  const cases: [string, Case, string[]][] = [
    [
      'pages of the image, certificates mounted elsewhere',
      { folders: [], nginx: nginxFact([['/usr/share/nginx/html', '/']]), mounts: [bind('/src/p/uploads', '/uploads')] },
      ['skip'],
    ],
    ['nothing to see', { folders: [folder({ hostPath: null, host: null, inside: null, samples: [] })] }, ['cannotLook']],
  ];
  it.each(cases)('%s', (_, given, expected) => expect(reasonsOf(judge(given))).toEqual(expected));

  it('applies to an nginx with a mount that can hold pages', () => {
    const applies = (role: 'nginx' | 'http', destination: string) =>
      staticFiles.appliesTo(makeService({ role, containers: [{ mounts: [bind('/x', destination)] }] }), makeStack());
    expect([applies('nginx', ROOT), applies('nginx', '/etc/nginx/conf.d'), applies('http', ROOT)]).toEqual([true, false, false]);
  });
});
