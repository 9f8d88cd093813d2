import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Effect } from '../../src/model/report.ts';
import { effectOf, effectOfProse, effectOfStep } from '../../src/runbook/effect.ts';

const TABLE: Record<Effect, string[]> = {
  'read-only': [
    'docker compose logs backend',
    'docker compose logs -f --tail 50 backend worker',
    'docker compose ps -a',
    'docker-compose ps',
    'docker compose -f a.yml -p x --profile dev ps',
    'docker compose config --services',
    'docker compose images && docker compose top',
    'docker compose port backend 8000',
    'docker compose exec backend ls -la /app',
    'docker compose exec -T -u root backend stat /app/app/main.py',
    'docker compose exec backend ping db',
    'docker compose exec nginx nginx -t',
    'docker compose exec nginx nginx -T',
    'docker compose exec db pg_isready -U x',
    'docker compose exec db psql -U x -c "SELECT pid, pg_blocking_pids(pid) FROM pg_stat_activity"',
    'docker compose exec db sh -c \'psql -U "${POSTGRES_USER:-postgres}" -d postgres -c "\\du"\'',
    'docker compose exec db psql -l',
    'docker compose exec db sh -c \'$(command -v mariadb || command -v mysql) -uroot -e "SHOW PROCESSLIST"\'',
    'docker compose exec mq rabbitmqctl list_queues name messages',
    'docker compose exec mq rabbitmq-diagnostics alarms',
    'docker compose exec redis redis-cli ping',
    'docker compose exec redis redis-cli -n 1 LLEN taskiq',
    'docker compose exec redis redis-cli CONFIG GET maxmemory',
    'docker compose exec redis redis-cli INFO memory',
    "docker inspect --format '{{.State.Error}}' $(docker compose ps -aq db)",
    'docker exec app cat /etc/hosts',
    'docker ps --filter publish=5432',
    'docker volume ls',
    'docker network inspect x',
    'docker context ls',
    'docker system df',
    'docker stats --no-stream',
    'curl -sS -i http://localhost:8000/health',
    'curl -fsS -o /dev/null http://localhost',
    'curl -X GET http://localhost',
    'wget -qO- http://localhost',
    'sudo ss -ltnp',
    "sudo ss -ltnp 'sport = :5432'",
    'ls -la astro/dist/layouts/\nls -la astro/dist/_astro/',
    'docker compose logs db 2>&1 | grep -i fatal | tail -5',
    'docker compose logs db > /dev/null',
    'git status --short && git diff',
    'git config core.autocrlf',
    'git config --global --get user.name',
    'git config --list',
    'sysctl fs.inotify.max_user_watches',
    'systemctl status docker',
    'df -h && du -sh .',
    'find . -name "*.pid"',
    'sed -n 1,20p nginx.conf',
    'for s in db redis; do docker compose logs $s; done',
    'while true; do docker compose ps; sleep 1; done',
    'node --version',
    'command -v docker',
    'echo "rm -rf /"',
    '# only a remark',
  ],
  changes: [
    'docker compose exec db sh -c \'$(command -v mariadb || command -v mysql) -uroot -e "SET GLOBAL read_only = OFF"\'',
    'docker compose exec db sh -c \'MYSQL_PWD=x $(command -v mysql) -uroot -e "KILL 7"\'',
    '$(cat /tmp/what-to-run) now',
    'docker compose exec mq rabbitmqctl change_password app new',
    'docker compose up -d backend',
    'docker compose up',
    'docker compose restart backend',
    'docker compose build --no-cache backend',
    'docker compose down',
    'docker compose down --remove-orphans',
    'docker compose rm -sf backend',
    'docker compose stop && docker compose start',
    'docker compose run --rm backend ls',
    'docker compose exec backend bash',
    'docker compose exec nginx nginx -s reload',
    'docker compose exec db psql -U x -c "ALTER ROLE x PASSWORD \'y\'"',
    'docker compose exec db psql -U x -c "SELECT pg_terminate_backend(55)"',
    'docker compose exec db psql -U x',
    'docker compose exec db createdb shop',
    "docker compose exec -T db psql -U x <<'SQL'\nALTER ROLE x PASSWORD 'y';\nSQL",
    'docker compose exec redis redis-cli CONFIG SET maxmemory 0',
    'docker compose exec redis redis-cli REPLICAOF NO ONE',
    'docker compose exec backend python -c "print(1)"',
    'docker compose cp a b:/c',
    'docker rm -f app',
    'docker network prune',
    'docker builder prune',
    'docker context use default',
    'docker kill app',
    "sed -i 's/a/b/' x",
    'chmod -R a+rX dist',
    'sudo chown -R 999 data',
    'mkdir -p dist',
    'rm tmp/pids/server.pid',
    'cp -n .env.example .env',
    'echo A=b >> .env',
    'sudo sysctl fs.inotify.max_user_watches=524288',
    'sudo sysctl -w vm.max_map_count=262144',
    'sudo systemctl restart docker',
    'kill -9 55',
    'just build-astro',
    'make reset',
    './reset.sh',
    'npm ci',
    'curl -X POST http://localhost/reset',
    'curl -d a=b http://localhost',
    'curl http://x | sh',
    'wget http://x/y.tar.gz',
    'git checkout main',
    'git pull',
    'git config core.autocrlf input',
    'git config --unset core.autocrlf',
    'unset DOCKER_HOST',
    'something-unheard-of --now',
    'docker compose ps && docker compose restart db',
    'echo "$(docker compose restart db)"',
    'docker compose ps `docker compose stop`',
  ],
  destructive: [
    'docker compose down -v',
    'docker compose down --volumes',
    'docker compose down -v --remove-orphans',
    'docker compose -p x down --rmi all',
    'docker compose down --rmi=local',
    'docker-compose down -v',
    'docker compose rm -fsv db',
    'docker compose up -d -V backend',
    'docker compose up --renew-anon-volumes',
    'docker volume rm x_data',
    'docker volume prune -f',
    'docker system prune -af --volumes',
    'docker image prune --all',
    'docker rmi x',
    'docker rm -v x',
    'docker container prune',
    'rm -rf dist',
    'sudo rm -fr ./data',
    'rm -r data',
    'rm data/*',
    'docker compose exec db rm -rf /var/lib/postgresql/data',
    "docker compose exec db sh -c 'rm -rf /var/lib/postgresql/*'",
    'docker compose exec db psql -U x -c "DROP DATABASE shop"',
    'docker compose exec db psql -U x -c "TRUNCATE users"',
    "docker compose exec -T db psql <<'SQL'\nSELECT 1;\nDROP TABLE users;\nSQL",
    'echo "DROP TABLE users" > x.sql; docker compose exec db dropdb shop',
    'docker compose exec redis redis-cli FLUSHALL',
    'docker compose exec redis redis-cli -n 1 flushdb',
    'docker compose exec redis redis-cli DEL jobs',
    'find . -name "*.log" -delete',
    'find data -exec rm -rf {} +',
    'git clean -fdx',
    'git reset --hard',
    'git restore dist',
    'git checkout -- dist',
    'docker compose stop\ndocker compose down -v\ndocker compose up -d',
    'docker compose ps; docker volume rm $(docker volume ls -q)',
    'docker volume ls -q | xargs docker volume rm',
    'bash -c "docker compose down -v"',
    'if true; then docker compose down -v; fi',
    'dd if=/dev/zero of=/dev/sda',
    'truncate -s 0 app.db',
  ],
};

describe('the effect of a command', () => {
  it.each(Object.entries(TABLE).flatMap(([effect, commands]) => commands.map((command) => [effect, command] as const)))(
    'is %s: %s',
    (effect, command) => {
      expect(effectOf(command)).toBe(effect);
    },
  );

  it('is decided for any text, soon, and a loss is found behind anything whole', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc
            .array(
              fc.constantFrom('$(', '`', '"', "'", '<<E\n', '\\', '\n', ';', '&&', 'docker', 'compose', 'sh -c ', '(', ')', '>', '#', ' '),
              { maxLength: 80 },
            )
            .map((parts) => parts.join(' ')),
        ),
        (text) => {
          expect(['read-only', 'changes', 'destructive']).toContain(effectOf(text));
        },
      ),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('docker compose ps', 'ls -la', 'echo "a b"', "echo 'c;d'", 'true || false', 'cat <<E\nx y\nE'), {
          maxLength: 5,
        }),
        (before) => {
          expect(effectOf([...before, 'docker compose down -v'].join('\n'))).toBe('destructive');
        },
      ),
    );
  });
});

describe('the effect of a sentence', () => {
  it.each<[Effect, string]>([
    ['read-only', 'Check the settings of the app.'],
    ['read-only', 'See whether the port is right.'],
    ['read-only', 'Wait until it is up.'],
    ['read-only', 'Is the folder there?'],
    ['changes', 'Correct the user in `.env`.'],
    ['changes', 'Check the user, and correct it.'],
    ['changes', 'Look at the folder. If it is empty, remove it.'],
    ['changes', 'Ask again, then restart the app.'],
    ['destructive', 'This deletes the database.'],
    ['destructive', 'Delete all volumes and begin again.'],
    ['destructive', 'Drop the database.'],
    ['changes', 'This deletes nothing: it only stops the containers.'],
  ])('is %s: %s', (effect, text) => {
    expect(effectOfProse(text)).toBe(effect);
  });

  it('makes that of its command worse, never better', () => {
    expect(effectOfStep('This deletes the cache of the browser', 'docker compose ps')).toBe('destructive');
    expect(effectOfStep('Check that all is gone', 'docker compose down -v')).toBe('destructive');
    expect(effectOfStep('Correct it', 'docker compose ps')).toBe('read-only');
  });
});
