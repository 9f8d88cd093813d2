/** Where a document contradicts itself, or shows what cannot work. Each rule reads only what the document says; in doubt it is silent. */
import { effectOf } from './effect.ts';
import {
  servicesInTables,
  type Document,
  type Instruction,
  type Said,
  type SaidCommand,
  type SaidDockerfile,
  type SaidService,
} from './document.ts';
import { namedServices } from './remedy.ts';

export interface Remark {
  line: number;
  text: string;
  /** `problem`: it is wrong. `warning`: it will surprise somebody. `note`: it may be meant. */
  grade: 'problem' | 'warning' | 'note';
}

type Rule = (document: Document) => Remark[];

const problem = (line: number, text: string): Remark => ({ line, text, grade: 'problem' });
const warning = (line: number, text: string): Remark => ({ line, text, grade: 'warning' });
const note = (line: number, text: string): Remark => ({ line, text, grade: 'note' });

/** "line 3", "lines 3, 5 and 9", "lines 3, 5, 9 and 4 more". */
export const linesIn = (lines: readonly number[]): string => {
  const all = [...new Set(lines)].toSorted((a, b) => a - b);
  if (all.length === 1) return `line ${all[0]!}`;
  const shown = all.length > 5 ? all.slice(0, 4) : all.slice(0, -1);
  return `lines ${shown.join(', ')} and ${all.length > 5 ? `${all.length - 4} more` : all.at(-1)!}`;
};

/** One remark for all places of the same, at the first of them. */
export const grouped = <T>(found: readonly Said<T>[], keyOf: (value: T) => string): { value: T; line: number; also: string }[] => {
  const groups = new Map<string, Said<T>[]>();
  for (const each of found) groups.set(keyOf(each.value), [...(groups.get(keyOf(each.value)) ?? []), each]);
  return [...groups.values()].map((group) => {
    const [first, ...more] = group.toSorted((a, b) => a.line - b.line) as [Said<T>, ...Said<T>[]];
    const others = more.filter(({ line }) => line !== first.line).map(({ line }) => line);
    return { value: first.value, line: first.line, also: others.length > 0 ? ` (also ${linesIn(others)})` : '' };
  });
};

export const isPlainName = (name: string): boolean => /^[A-Za-z0-9][\w.-]*$/.test(name);

/** What commands and tables take for services. */
export const servicesSpokenOf = (document: Document): Said[] =>
  [
    ...document.commands.flatMap(({ words, line }) => namedServices(words).map((value) => ({ value, line }))),
    ...servicesInTables(document),
  ].filter(({ value }) => isPlainName(value));

const servicesNotShown: Rule = (document) => {
  const { compose } = document;
  if (compose === null) return [];
  return grouped(
    servicesSpokenOf(document).filter(({ value }) => !compose.services.has(value)),
    (name) => name,
  ).map(({ value, line, also }) =>
    problem(
      line,
      `"${value}" is no service of the compose file at line ${compose.line}, which has ${[...compose.services.keys()].join(', ')}${also}`,
    ),
  );
};

const isPostgres = ({ image }: SaidService): boolean => /(^|\/)(postgres|postgis|pgvector|timescaledb)([:@]|$)/.test(image?.value ?? '');
const postgresMajor = ({ image }: SaidService): number => Number(/(?:^|\/)postgres:(\d+)/.exec(image?.value ?? '')?.[1] ?? 0);

const dataPath: Rule = ({ services }) =>
  services
    .filter((service) => postgresMajor(service) >= 18)
    .flatMap((service) =>
      service.mounts
        .filter(({ value }) => value.target === '/var/lib/postgresql/data' && value.source !== '')
        .map(({ line }) =>
          problem(
            line,
            `${service.image!.value} refuses a volume at /var/lib/postgresql/data; from 18 on it belongs at /var/lib/postgresql`,
          ),
        ),
    );

const DATABASE_URL = /\b(postgres(?:ql)?(?:\+\w+)?):\/\/([\w.-]+)(?::([^@\s'"/]*))?@([\w.-]+)(?::\d+)?(?:\/([\w-]+))?/g;

interface Login {
  user: string;
  host: string;
  database: string;
  password: 'literal' | 'variable' | 'none';
}

const loginsOf = (lines: readonly Said[]): Said<Login>[] =>
  lines.flatMap(({ value, line }) =>
    [...value.matchAll(DATABASE_URL)].map(([, , user, password, host, database]) => ({
      value: {
        user: user!,
        host: host!,
        database: database ?? '',
        password:
          password === undefined || password === ''
            ? ('none' as const)
            : /^[$<{*]/.test(password)
              ? ('variable' as const)
              : ('literal' as const),
      },
      line,
    })),
  );

/** A service's users that its first start does not make are made by somebody. */
const makesUsers = ({ lines, services }: Document): boolean =>
  services.some(({ mounts }) => mounts.some(({ value }) => value.target.startsWith('/docker-entrypoint-initdb.d'))) ||
  lines.some(({ value }) => /\bcreate (role|user|database)\b|\bcreateuser\b|\bcreatedb\b/i.test(value));

export interface DatabaseSetup {
  service: string;
  user: string | null;
  database: string | null;
  where: string;
}

/** The servers that the document shows. */
const setupsIn = ({ compose }: Document): DatabaseSetup[] =>
  [...(compose?.services.values() ?? [])].filter(isPostgres).map((service) => {
    const user = service.environment.get('POSTGRES_USER');
    const database = service.environment.get('POSTGRES_DB');
    const plainly = (said: Said | undefined): string | null => (said && !said.value.includes('$') ? said.value : null);
    return { service: service.name, user: plainly(user), database: plainly(database), where: ` at line ${user?.line ?? service.line}` };
  });

export const wrongLogins = (document: Document, setups: readonly DatabaseSetup[]): Remark[] => {
  if (makesUsers(document)) return [];
  const logins = loginsOf(document.lines).flatMap(({ value, line }) => {
    const setup = setups.find(({ service }) => service === value.host);
    return setup ? [{ value: { login: value, setup }, line }] : [];
  });
  const users = logins.filter(({ value: { login, setup } }) => setup.user !== null && login.user !== setup.user);
  const databases = logins.filter(
    ({ value: { login, setup } }) =>
      setup.database !== null && login.database !== '' && login.database !== setup.database && login.database !== 'postgres',
  );
  return [
    ...grouped(users, ({ login }) => `${login.user}@${login.host}`).map(({ value: { login, setup }, line, also }) =>
      problem(line, `logs in to ${setup.service} as "${login.user}"; its POSTGRES_USER${setup.where} is "${setup.user!}"${also}`),
    ),
    ...grouped(databases, ({ login }) => `${login.database}@${login.host}`).map(({ value: { login, setup }, line, also }) =>
      problem(
        line,
        `opens the database "${login.database}" of ${setup.service}; its POSTGRES_DB${setup.where} is "${setup.database!}"${also}`,
      ),
    ),
  ];
};

const logins: Rule = (document) => wrongLogins(document, setupsIn(document));

const literalPassword: Rule = ({ compose }) => {
  const servers = [...(compose?.services.values() ?? [])].filter(
    (service) => isPostgres(service) && /^\$\{?\w/.test(service.environment.get('POSTGRES_PASSWORD')?.value ?? ''),
  );
  const literal = [...(compose?.services.values() ?? [])].flatMap((service) =>
    loginsOf([...service.environment.values()]).filter(
      ({ value }) => value.password === 'literal' && servers.some(({ name }) => name === value.host),
    ),
  );
  return grouped(literal, ({ host }) => host).map(({ value, line, also }) => {
    const { value: variable, line: where } = servers.find(({ name }) => name === value.host)!.environment.get('POSTGRES_PASSWORD')!;
    return problem(
      line,
      `the password for ${value.host} is written out, while ${value.host} takes ${variable} (line ${where}): they agree only by chance${also}`,
    );
  });
};

const VARIABLE = /(?<!\$)\$(?:\{(\w+)(:?[-?+])?[^}]*\}|(\w+))/g;

/** Variables of a compose file, with whether there is a default. */
export const variablesOf = (text: string): Map<string, { line: number; hasDefault: boolean }> => {
  const found = new Map<string, { line: number; hasDefault: boolean }>();
  for (const [i, each] of text.split('\n').entries()) {
    for (const [, braced, operator, bare] of each.replace(/(^|\s)#.*$/, '').matchAll(VARIABLE)) {
      const name = (braced ?? bare)!;
      if (!found.has(name))
        found.set(name, { line: i + 1, hasDefault: operator?.endsWith('-') === true || operator?.endsWith('+') === true });
    }
  }
  return found;
};

/** The sample of `.env` and the compose file: `where` says which file that is. */
export const environmentAgainst = (
  { environments }: Document,
  composeText: string,
  hasEnvFile: boolean,
  where: (line: number) => string,
): Remark[] => {
  const wanted = variablesOf(composeText);
  return environments
    .filter(({ file }) => /^(\.\/)?\.env(\.(example|sample|template|dist|local))?$/.test(file))
    .flatMap(({ file, line, variables }) => {
      const lacking = [...wanted].filter(
        ([name, { hasDefault }]) => !hasDefault && !variables.has(name) && !/^(HOME|USER|PWD|UID|GID|PATH|HOSTNAME)$/.test(name),
      );
      const unused = [...variables].filter(([name]) => !wanted.has(name) && !name.startsWith('COMPOSE_') && !name.startsWith('DOCKER_'));
      return [
        ...lacking.map(([name, at]) => problem(line, `${file} does not set ${name}, which ${where(at.line)} needs`)),
        // What a service reads by `env_file:` Compose need not know.
        ...(hasEnvFile || unused.length === 0
          ? []
          : [
              warning(
                unused[0]![1].line,
                `${where(0)} uses nothing of ${unused.map(([name]) => name).join(', ')}: to set ${unused.length === 1 ? 'it' : 'them'} in ${file} changes nothing`,
              ),
            ]),
      ];
    });
};

const environment: Rule = (document) => {
  const { compose } = document;
  if (compose === null) return [];
  const hasEnvFile = [...compose.services.values()].some((service) => service.hasEnvFile);
  return environmentAgainst(document, compose.text, hasEnvFile, () => `the compose file at line ${compose.line}`);
};

/** The same address with two ports. */
const twoPorts: Rule = ({ environments, compose }) =>
  environments.flatMap(({ file, variables }) =>
    [...variables].flatMap(([name, said]) => {
      const here = hostAndPort(said.value);
      const other = [...(compose?.services.values() ?? [])]
        .flatMap((service) => service.environment.get(name) ?? [])
        .find(({ value }) => {
          const there = hostAndPort(value);
          return here !== null && there !== null && here.host === there.host && here.port !== there.port;
        });
      return other
        ? [
            problem(
              said.line,
              `${file} has ${name} with port ${here!.port}, the compose file with port ${hostAndPort(other.value)!.port} (line ${other.line}), which wins`,
            ),
          ]
        : [];
    }),
  );

const hostAndPort = (url: string): { host: string; port: string } | null => {
  const [, host, port] = /^[a-z][\w+.-]*:\/\/(?:[^@/]*@)?([\w.-]+):(\d+)/i.exec(url) ?? [];
  return host === undefined ? null : { host, port: port! };
};

const healthUser: Rule = ({ services, compose }) =>
  services.flatMap((service) => {
    const user = /\bpg_isready\b.*?\s(?:-U\s*|--username[= ])(\S+)/
      .exec(service.healthcheck?.value.test ?? '')?.[1]
      ?.replaceAll(/["']/g, '');
    const declared = service.environment.get('POSTGRES_USER') ?? compose?.services.get(service.name)?.environment.get('POSTGRES_USER');
    return user !== undefined && declared && !declared.value.includes('$') && !user.includes('$') && user !== declared.value
      ? [
          problem(
            service.healthcheck!.line,
            `the healthcheck of ${service.name} asks as "${user}"; its POSTGRES_USER (line ${declared.line}) is "${declared.value}": the log fills with failed logins`,
          ),
        ]
      : [];
  });

const healthOverSocket: Rule = ({ services }) =>
  services
    .filter(({ healthcheck }) => /\bpg_isready\b/.test(healthcheck?.value.test ?? '') && !/\s(-h|--host)\b/.test(healthcheck!.value.test))
    .map(({ name, healthcheck }) =>
      warning(
        healthcheck!.line,
        `pg_isready without -h asks over the socket: ${name} is "healthy" while its first start still refuses TCP`,
      ),
    );

/** `backend/Dockerfile.dev` → `backend`; `.` at the top. */
const folderOf = (file: string): string => (file.includes('/') ? file.slice(0, file.lastIndexOf('/')).replace(/^\.\//, '') : '.');
const plainFolder = (path: string): string => path.replace(/^\.\/|\/$/g, '') || '.';
const nameOf = ({ file, line }: SaidDockerfile): string => file ?? `the Dockerfile at line ${line}`;

const dockerfileOf = (service: SaidService, { dockerfiles }: Document): SaidDockerfile | null =>
  service.context === null
    ? null
    : (dockerfiles.find(
        ({ file }) =>
          file !== null &&
          plainFolder(file) === plainFolder(`${plainFolder(service.context!.value)}/${service.dockerfile}`.replace(/^\.\//, '')),
      ) ?? null);

/** All instructions of the last stage, and of those that it begins from. */
const finalInstructions = ({ stages }: SaidDockerfile): Instruction[] => {
  const last = stages.at(-1)!;
  const base = stages.find(({ instructions }) =>
    new RegExp(`\\bas\\s+${last.image.replaceAll(/[^\w.-]/g, '.')}$`, 'i').test(instructions[0]?.words ?? ''),
  );
  return base && base !== last ? [...base.instructions, ...last.instructions] : last.instructions;
};

const copiesOwnFolder: Rule = (document) =>
  document.dockerfiles.flatMap((dockerfile) => {
    if (dockerfile.file === null) return [];
    const folder = folderOf(dockerfile.file);
    const service = document.services.find(({ context }) => context !== null && plainFolder(context.value) === folder);
    if (!service || folder === '.' || folder.includes('/')) return [];
    const copies = dockerfile.stages
      .flatMap(({ instructions }) => instructions)
      .filter(
        ({ name, words }) =>
          /^(COPY|ADD)$/.test(name) &&
          !/--from=/.test(words) &&
          words
            .split(/\s+/)
            .slice(0, -1)
            .some((word) => word.startsWith(`${folder}/`)),
      );
    return grouped(
      copies.map(({ words, line }) => ({ value: words, line })),
      () => '',
    ).map(({ value, line, also }) =>
      problem(
        line,
        `COPY ${value} in ${dockerfile.file!}: the build's context is ${service.context!.value} (line ${service.context!.line}), which has no folder ${folder} in it${also}`,
      ),
    );
  });

const editableTooEarly: Rule = ({ dockerfiles }) =>
  dockerfiles.flatMap((dockerfile) =>
    dockerfile.stages.flatMap(({ instructions }) => {
      const install = instructions.findIndex(({ name, words }) => name === 'RUN' && /\bpip install\b.*\s(-e|--editable)[ =]/.test(words));
      if (install < 0) return [];
      const before = instructions.slice(0, install).filter(({ name, words }) => name === 'COPY' && !/--from=/.test(words));
      const isSource = before.some(({ words }) =>
        words
          .split(/\s+/)
          .slice(0, -1)
          .some((word) => word === '.' || word.endsWith('/') || /(^|\/)(src|app)$/.test(word)),
      );
      return isSource
        ? []
        : [
            warning(
              instructions[install]!.line,
              `${nameOf(dockerfile)} installs the package in editable form before its source is copied, which many build backends refuse`,
            ),
          ];
    }),
  );

const WITH_SCRIPTS = /\/usr\/local(\/bin)?(\/\S*)?$|\/bin\/?$|\/\.?venv|\/install|\/root\/\.local/;

const programNotCopied: Rule = ({ dockerfiles }) =>
  dockerfiles.flatMap((dockerfile) => {
    const { instructions } = dockerfile.stages.at(-1)!;
    const packages = instructions.find(({ name, words }) => name === 'COPY' && /--from=/.test(words) && /site-packages/.test(words));
    const start = instructions.findLast(({ name }) => name === 'CMD' || name === 'ENTRYPOINT');
    const program = /^\[\s*"([^"]+)"/.exec(start?.words ?? '')?.[1] ?? '';
    const others = instructions.filter((each) => each !== packages && each.name === 'COPY' && /--from=/.test(each.words));
    const installs = instructions.some(({ name, words }) => name === 'RUN' && /\b(pip|uv|poetry|pdm) (\w+ )?(install|sync)\b/.test(words));
    const isScript = /^[a-z][\w-]*$/.test(program) && !/^(python\d?(\.\d+)?|sh|bash|tini|dumb-init|env)$/.test(program);
    return packages && isScript && !installs && !others.some(({ words }) => WITH_SCRIPTS.test(words.split(/\s+/).at(-1)!))
      ? [
          problem(
            start!.line,
            `${nameOf(dockerfile)} starts ${program}, but copies only site-packages from the builder (line ${packages.line}): the program in /usr/local/bin is not among them`,
          ),
        ]
      : [];
  });

/** An entry point that migrates the database, by what is written beside it. */
const migrator = (dockerfile: SaidDockerfile): Instruction | null => {
  const entry = finalInstructions(dockerfile).findLast(({ name }) => name === 'ENTRYPOINT');
  if (!entry) return null;
  const said = dockerfile.comments.some(({ value, line }) => line <= entry.line && line >= entry.line - 3 && /\bmigrat/i.test(value));
  return said || /migrat/i.test(entry.words) ? entry : null;
};

const noMigrations: Rule = ({ dockerfiles }) =>
  dockerfiles.flatMap((dockerfile) => {
    if (dockerfile.file === null || finalInstructions(dockerfile).some(({ name }) => name === 'ENTRYPOINT')) return [];
    const sibling = dockerfiles.find(
      (other) => other !== dockerfile && other.file !== null && folderOf(other.file) === folderOf(dockerfile.file!) && migrator(other),
    );
    return sibling
      ? [
          warning(
            dockerfile.line,
            `${dockerfile.file} has no entry point, while ${sibling.file!} migrates the database in its own (line ${migrator(sibling)!.line}): who migrates here?`,
          ),
        ]
      : [];
  });

const sharedMigrator: Rule = (document) => {
  const services = [...(document.compose?.services.values() ?? [])];
  return services.flatMap((service, i) => {
    const dockerfile = dockerfileOf(service, document);
    const entry = dockerfile && migrator(dockerfile);
    if (!entry || service.entrypoint !== null || service.command === null) return [];
    const first = services.find(
      (other, at) => at !== i && other.command === null && other.entrypoint === null && dockerfileOf(other, document) === dockerfile,
    );
    return first
      ? [
          problem(
            service.line,
            `${service.name} inherits the entry point of ${dockerfile.file!} (line ${entry.line}), as ${first.name} does: both migrate the database at once`,
          ),
        ]
      : [];
  });
};

const slowStart: Rule = (document) =>
  document.services.flatMap((service) => {
    const built = service.context === null ? document.compose?.services.get(service.name) : service;
    const dockerfile = built && dockerfileOf(built, document);
    return service.healthcheck && !service.healthcheck.value.hasStartPeriod && dockerfile && migrator(dockerfile)
      ? [
          warning(
            service.healthcheck.line,
            `the healthcheck of ${service.name} has no start_period, while its entry point migrates first (line ${migrator(dockerfile)!.line})`,
          ),
        ]
      : [];
  });

/** Programs that people call, and the packages that bring them. Images of the slim kind have none of them. */
const PACKAGES: Record<string, RegExp> = {
  curl: /\bcurl\b/,
  wget: /\bwget\b/,
  ping: /\biputils(-ping)?\b|\binetutils-ping\b/,
  nc: /\bnetcat\b|\bnetcat-\w+\b|\bncat\b|\bbusybox\b/,
  telnet: /\btelnet\b/,
  nslookup: /\bdnsutils\b|\bbind9?-\w+\b/,
  dig: /\bdnsutils\b|\bbind9?-\w+\b/,
  ps: /\bprocps\b/,
  top: /\bprocps\b/,
  vim: /\bvim\b/,
  nano: /\bnano\b/,
};
const ALPINE_LACKS = new Set(['bash', 'curl', 'vim']);

/** `null`: not known. */
export const lacks = (image: string, installs: string, program: string): boolean | null => {
  const packages = PACKAGES[program] ?? (program === 'bash' ? /\bbash\b/ : null);
  if (packages === null || packages.test(installs)) return packages === null ? null : false;
  if (/(^|\/)(python|node|ruby|php|golang|rust|debian|openjdk|eclipse-temurin)(:|:.*-)slim\b|-slim(-\w+)?$/.test(image))
    return program !== 'bash';
  if (/(^|\/)(python|node|ruby|php|golang|alpine)\b.*(:|-)alpine[\d.]*$|(^|\/)alpine(:|$)/.test(image)) return ALPINE_LACKS.has(program);
  return null;
};

const installsOf = (dockerfile: SaidDockerfile): string =>
  finalInstructions(dockerfile)
    .filter(({ name }) => name === 'RUN')
    .map(({ words }) => words)
    .join('\n');

const healthProgram: Rule = (document) =>
  document.services.flatMap((service) => {
    const built = service.context === null ? document.compose?.services.get(service.name) : service;
    const program = /^(curl|wget|nc)\b/.exec(service.healthcheck?.value.test ?? '')?.[1];
    if (!built?.context || program === undefined) return [];
    const folder = plainFolder(built.context.value);
    return document.dockerfiles
      .filter((dockerfile) => dockerfile.file !== null && folderOf(dockerfile.file) === folder)
      .filter((dockerfile) => lacks(dockerfile.stages.at(-1)!.image, installsOf(dockerfile), program) === true)
      .map((dockerfile) =>
        warning(
          service.healthcheck!.line,
          `the healthcheck of ${service.name} runs ${program}, which ${nameOf(dockerfile)} (line ${dockerfile.line}) does not install`,
        ),
      );
  });

/** `docker compose exec [options] <service> <program> …`. */
export const insideOf = ({ words }: SaidCommand): { service: string; program: string } | null => {
  const at =
    words[0] === 'docker' && words[1] === 'compose'
      ? words.indexOf('exec', 2)
      : words[0] === 'docker-compose'
        ? words.indexOf('exec', 1)
        : -1;
  const [service] = namedServices(words);
  if (at < 0 || service === undefined) return null;
  const program = words[words.indexOf(service, at) + 1];
  return program === undefined ? null : { service, program };
};

const programNotThere: Rule = (document) =>
  document.commands.flatMap((command) => {
    const inside = insideOf(command);
    const service = inside && document.compose?.services.get(inside.service);
    if (!inside || !service) return [];
    const dockerfile = dockerfileOf(service, document);
    const image = dockerfile?.stages.at(-1)?.image ?? service.image?.value;
    return image !== undefined && lacks(image, dockerfile ? installsOf(dockerfile) : '', inside.program) === true
      ? [
          problem(
            command.line,
            `${inside.service} has no ${inside.program}: ${image} does not bring it${dockerfile ? `, and ${nameOf(dockerfile)} does not install it` : ''}`,
          ),
        ]
      : [];
  });

const startedOnly: Rule = ({ compose }) => {
  const services = [...(compose?.services.values() ?? [])];
  const careful = services.flatMap(({ name, dependsOn }) =>
    dependsOn
      .filter(({ value }) => value.condition === 'service_healthy')
      .map(({ value, line }) => ({ name, target: value.service, line })),
  );
  return services.flatMap(({ name, dependsOn }) =>
    dependsOn
      .filter(({ value }) => value.condition === 'service_started' && compose?.services.get(value.service)?.healthcheck)
      .flatMap(({ value, line }) => {
        const other = careful.find(({ target }) => target === value.service);
        if (other)
          return [warning(line, `${name} does not wait until ${value.service} is healthy, as ${other.name} does (line ${other.line})`)];
        return value.isShort || careful.some((each) => each.name === name)
          ? [warning(line, `${name} waits only until ${value.service} is started, although ${value.service} has a healthcheck`)]
          : [];
      }),
  );
};

const uvRun: Rule = (document) =>
  [...(document.compose?.services.values() ?? [])].flatMap((service) => {
    const dockerfile = dockerfileOf(service, document);
    const install =
      dockerfile && finalInstructions(dockerfile).find(({ name, words }) => name === 'RUN' && /\buv pip install\b.*--system\b/.test(words));
    return install && /^uv run\b(?!.*--no-sync)/.test(service.command?.value ?? '')
      ? [
          problem(
            service.command!.line,
            `"uv run" makes an environment of its own at every start; ${dockerfile.file!} installs into the system's (line ${install.line})`,
          ),
        ]
      : [];
  });

/** How a service is started: by its own command, or by its image's. */
const startOf = (service: SaidService, document: Document): string => {
  const dockerfile = dockerfileOf(service, document);
  return (
    service.command?.value ??
    finalInstructions(dockerfile ?? { file: null, line: 0, comments: [], stages: [{ image: '', line: 0, instructions: [] }] }).findLast(
      ({ name }) => name === 'CMD',
    )?.words ??
    ''
  );
};

const workerWithoutReload: Rule = (document) => {
  const services = [...(document.compose?.services.values() ?? [])];
  return services.flatMap((service) => {
    if (
      !/\b(taskiq|celery|dramatiq|arq|rq)\b/.test(service.command?.value ?? '') ||
      /--(reload|watch)|watchfiles|watchmedo/.test(service.command!.value)
    )
      return [];
    const sources = service.mounts.map(({ value }) => value.source).filter((source) => source.startsWith('.'));
    const other = services.find(
      (each) =>
        each !== service && /--reload\b/.test(startOf(each, document)) && each.mounts.some(({ value }) => sources.includes(value.source)),
    );
    return other
      ? [
          warning(
            service.command!.line,
            `${service.name} runs the mounted source without reloading, while ${other.name} reloads it: ${service.name} keeps the old code after an edit`,
          ),
        ]
      : [];
  });
};

/** `localhost` and what stands for a name. */
const NO_HOST = /^(localhost|host|hostname|host\.docker\.internal|host-gateway|your[-_].*|my[-_].*|server|user|example|.*\..*|\d+)$/i;
const SERVICE_URL =
  /\b(?:https?|postgres(?:ql)?|redis|rediss|amqps?|mysql|mariadb|mongodb)(?:\+\w+)?:\/\/(?:[^\s/@'"`]*@)?([A-Za-z][\w-]*):\d+/g;

export const hostsOf = ({ lines }: Document): Said[] =>
  lines.flatMap(({ value, line }) =>
    [...value.matchAll(SERVICE_URL)].map((found) => ({ value: found[1]!, line })).filter((each) => !NO_HOST.test(each.value)),
  );

const unknownHosts: Rule = (document) =>
  document.compose === null
    ? []
    : grouped(
        hostsOf(document).filter(({ value }) => !document.services.some(({ name }) => name === value)),
        (host) => host,
      ).map(({ value, line, also }) =>
        problem(
          line,
          `no service has the name "${value}" of this address; the compose file at line ${document.compose!.line} has ${[...document.compose!.services.keys()].join(', ')}${also}`,
        ),
      );

const readsWhatIsNotThere: Rule = ({ compose, sentences }) =>
  sentences.flatMap(({ value, line }) => {
    const [, name, folder] =
      /^\W*(?:the )?`?([\w-]+)`?(?: (?:container|service))? (?:reads?|serves?|loads?|uses?)\b.*?`((?!\/)[\w.-]+(?:\/[\w.-]+)*\/)`/i.exec(
        value,
      ) ?? [];
    const service = [...(compose?.services.values() ?? [])].find((each) => each.name === name?.toLowerCase());
    if (!service || folder === undefined) return [];
    const sources = [...new Set([...service.mounts.map(({ value: mount }) => mount.source), service.context?.value ?? ''])].filter(
      (source) => source.startsWith('.'),
    );
    const isCovered = sources.some(
      (source) =>
        plainFolder(source) === '.' ||
        `${plainFolder(folder)}/`.startsWith(`${plainFolder(source)}/`) ||
        `${plainFolder(source)}/`.startsWith(`${plainFolder(folder)}/`),
    );
    return isCovered || sources.length === 0
      ? []
      : [
          problem(
            line,
            `${service.name} reads ${folder}, of which its container has nothing: it is made from ${sources.join(', ')} (line ${service.line})`,
          ),
        ];
  });

const noRestartNeeded: Rule = ({ sentences }) => {
  if (!sentences.some(({ value }) => /\bbind[- ]?mount/i.test(value))) return [];
  return sentences
    .filter(({ value }) =>
      /\b(no|without( a| any)?) (container |service )?(restart|reload)s?( is| are)?( needed| required| necessary|\W*$)|\bno need to restart\b/i.test(
        value,
      ),
    )
    .map(({ line }) =>
      warning(
        line,
        'not so when the mounted folder itself is replaced (rm -rf, git switch): the container keeps the old one until it is restarted',
      ),
    );
};

const worktrees: Rule = ({ lines, compose }) => {
  const spoken = lines.find(({ value }) => /\bwork-?trees?\b/i.test(value));
  const fixed = [...(compose?.services.values() ?? [])].flatMap(({ ports }) =>
    ports.filter(({ value }) => /^(?:[\d.]+:)?\d+:\d+/.test(value)),
  );
  return spoken && fixed.length > 0
    ? [
        warning(
          fixed[0]!.line,
          `line ${spoken.line} speaks of worktrees, but the host ports are fixed (${linesIn(fixed.map(({ line }) => line))}): a second worktree cannot start beside the first, and has volumes of its own`,
        ),
      ]
    : [];
};

const packagesInVolume: Rule = ({ compose }) =>
  [...(compose?.services.values() ?? [])].flatMap(({ name, context, mounts }) =>
    context === null
      ? []
      : mounts
          .filter(({ value }) => /^[A-Za-z]/.test(value.source) && /\/(node_modules|site-packages|\.venv|vendor)$/.test(value.target))
          .map(({ value, line }) =>
            warning(line, `the volume ${value.source} keeps ${name}'s packages of its first start: no rebuild renews it, nor does up -V`),
          ),
  );

const sleepsAsFirst: Rule = (document) =>
  document.dockerfiles.flatMap((dockerfile) => {
    const start = finalInstructions(dockerfile).findLast(({ name }) => name === 'CMD');
    return start && /^\[?\s*"?(sleep|tail)\b/.test(start.words)
      ? [note(start.line, 'sleep as the first process ignores the signal to stop: each stop takes 10 s and ends with 137')]
      : [];
  });

const unpinned: Rule = ({ dockerfiles }) =>
  dockerfiles.flatMap((dockerfile) =>
    grouped(
      dockerfile.stages
        .flatMap(({ instructions }) => instructions)
        .flatMap(({ words, line }) => [...words.matchAll(/\b[\w./-]*[\w-](?::|@)latest\b/g)].map((found) => ({ value: found[0], line }))),
      (value) => value,
    ).map(({ value, line, also }) => note(line, `${value} is another thing every week: the build may break by itself${also}`)),
  );

const WARNS =
  /delet|destroy|wip(e|es|ing)\b|\blos(e|es|t|ing|s)\b|eras(e|es|ing)|\bdrop|irrevers|undone|⚠|🚨|🔥|\bwarning\b|\bcaution\b|\bdanger|destructive|\ball (your |the )?(local )?data\b|\b(reset|forget|empty)\w* (the |your |its |all |local )*(db|database|data|everything)\b|\b(and|with) (its|the|all|their) data\b|\bnuke|last resort|\bpurge/i;
/** What is made again by itself. */
const GENERATED =
  /^(\.\/)?([\w./-]*\/)?(node_modules|dist|build|\.cache|__pycache__|\.venv|venv|target|tmp|\.next|coverage|\.pytest_cache|log|logs)\/?\*?$/;

const isHarmlessRemoval = ({ words }: SaidCommand): boolean =>
  words[0] === 'rm' &&
  words
    .slice(1)
    .filter((word) => !word.startsWith('-'))
    .every((word) => GENERATED.test(word));

const unmarkedLoss: Rule = ({ commands }) =>
  commands
    .filter(
      (command) => effectOf(command.words.map(quoted).join(' ')) === 'destructive' && !isHarmlessRemoval(command) && !isMarked(command),
    )
    .map(({ words, line }) => problem(line, `"${words.slice(0, 6).join(' ')}" deletes data, and nothing beside it says so`));

const quoted = (word: string): string => (/^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

const isMarked = ({ step, section }: SaidCommand): boolean =>
  WARNS.test(step.text) ||
  (step.command ?? '').split('\n').some((line) => /\s#/.test(line) && WARNS.test(line.slice(line.indexOf('#')))) ||
  section.prose.some(({ text }) => WARNS.test(text)) ||
  section.blocks.some((block) => block.kind === 'html' && WARNS.test(block.text));

const RULES: readonly Rule[] = [
  servicesNotShown,
  dataPath,
  logins,
  literalPassword,
  environment,
  twoPorts,
  healthUser,
  healthOverSocket,
  copiesOwnFolder,
  editableTooEarly,
  programNotCopied,
  noMigrations,
  sharedMigrator,
  slowStart,
  healthProgram,
  programNotThere,
  startedOnly,
  uvRun,
  workerWithoutReload,
  unknownHosts,
  readsWhatIsNotThere,
  noRestartNeeded,
  worktrees,
  packagesInVolume,
  sleepsAsFirst,
  unpinned,
  unmarkedLoss,
];

/** In the order of the lines. */
export const contradictionsIn = (document: Document): Remark[] =>
  RULES.flatMap((rule) => rule(document)).toSorted((a, b) => a.line - b.line);
