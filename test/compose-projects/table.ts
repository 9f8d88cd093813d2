/**
 * What the projects of `fixtures/projects` are, by their files alone: project → service, role, and whom it reaches for. Every connection is listed
 * but `depends_on`, so that one too many fails as one too few. `(host)` is nobody of the stack.
 */
export const PROJECTS: Record<string, string> = {
  'admin-tools': `
    adminer http → postgres postgres
    cloudbeaver http
    dozzle http
    mailcatcher http
    maildev http
    mailhog http
    pgadmin http
    pgweb http → postgres postgres
    portainer http
    postgres postgres
    redis redis
    redis-commander http
    redisinsight http
    watchtower unknown`,
  airflow: `
    airflow-cli unknown → postgres postgres → redis redis
    airflow-init one-shot → postgres postgres → redis redis
    airflow-scheduler http → postgres postgres → redis redis
    airflow-triggerer unknown → postgres postgres → redis redis
    airflow-webserver http → postgres postgres → redis redis
    airflow-worker worker → postgres postgres → redis redis
    flower http → postgres postgres → redis redis
    postgres postgres
    redis redis`,
  'aliases-and-networks': `
    api http → kv redis → store postgres → (redis.prod.example.com) redis
    kv redis
    legacy unknown → api http
    store postgres
    web nginx`,
  'backups-and-cron': `
    autoheal unknown
    backup unknown → db postgres
    cron unknown
    db postgres
    dump-loop unknown → db postgres
    ofelia unknown
    restic unknown
    rotate unknown`,
  bullmq: `
    api http → dragonfly redis
    board http → dragonfly redis
    dragonfly redis
    email-worker worker → dragonfly redis
    image-worker worker → dragonfly redis`,
  caddy: `
    app http → db postgres
    caddy http → app http → docs http
    db postgres
    docs http`,
  devcontainer: `
    db postgres
    workspace build-only`,
  'django-celery': `
    beat unknown → broker redis → db postgres
    broker redis
    celery worker → broker redis → db postgres
    db postgres
    flower http → broker redis
    migrate one-shot → broker redis → db postgres
    web http → broker redis → db postgres`,
  elastic: `
    es01 http
    kibana http → es01 http
    logstash unknown
    setup one-shot`,
  'empty-and-odd': `
    my-mongo-backup one-shot
    nginx-exporter unknown
    nothing unknown
    null-command unknown
    number build-only
    one-word unknown
    postgres-docs http
    redis-named-app unknown
    web nginx
    worker-dashboard http`,
  extends: `
    api http → cache redis → db postgres
    beat unknown → cache redis → db postgres
    cache redis
    db postgres
    worker worker → cache redis → db postgres`,
  'flask-rq': `
    app http → mysql mysql → redis redis
    dramatiq worker → mysql mysql → redis redis
    huey worker → mysql mysql → redis redis
    mysql mysql
    redis redis
    rq-dashboard http → redis redis
    rq-scheduler unknown → mysql mysql → redis redis
    rq-worker worker → mysql mysql → redis redis
    taskiq worker → mysql mysql → redis redis
    taskiq-scheduler unknown → mysql mysql → redis redis`,
  gitlab: `
    gitlab http
    postgresql postgres
    redis redis
    runner unknown`,
  'go-grpc': `
    gateway http → orders tcp → users tcp
    migrate one-shot
    mysql mysql
    orders unknown → mysql mysql → valkey redis
    postgres postgres
    users unknown → postgres postgres
    valkey redis`,
  'gpu-ollama': `
    ollama http
    pull-model one-shot
    vllm http
    webui http → ollama http`,
  haproxy: `
    api http → stores postgres → stores redis
    cache redis
    db postgres
    edge haproxy → api http → legacy http → pages http
    legacy http
    pages nginx
    stores haproxy → cache tcp → db tcp`,
  healthchecks: `
    api http
    cache redis
    calls-others unknown
    db postgres
    grpc unknown
    own-broker rabbitmq
    own-cache redis
    own-mongo mongodb
    waits-for-cache unknown`,
  'immich-like': `
    cache redis
    database postgres
    photos-ml unknown → cache redis → database postgres
    photos-server http → cache redis → database postgres`,
  include: `
    app http → db postgres → queue amqp
    celery worker → queue amqp
    db postgres
    grafana http
    queue rabbitmq`,
  'kafka-kraft': `
    connect http → kafka tcp
    consumer worker → kafka tcp
    init-topics one-shot
    kafka unknown
    kafka-ui http → kafka tcp → schema-registry http
    schema-registry http → kafka tcp`,
  'laravel-fpm': `
    horizon worker → pgsql postgres → redis redis
    migrate one-shot → pgsql postgres → redis redis
    nginx nginx
    node build-only
    pgsql postgres
    php unknown → pgsql postgres → redis redis
    redis redis
    schedule unknown → pgsql postgres → redis redis`,
  'laravel-sail': `
    laravel.test http → mailpit tcp → meilisearch http → mysql mysql → redis redis
    mailpit http
    meilisearch http
    mysql mysql
    redis redis
    selenium http`,
  localstack: `
    app http → localstack http → sqs http → vault http
    azurite http
    consul http
    dynamodb http
    firebase http
    localstack http
    sqs http
    terraform one-shot → localstack http
    vault http`,
  'long-ports': `
    dns http
    emqx unknown
    ftp unknown
    game unknown
    mqtt unknown
    sip http`,
  mern: `
    api http → mongo mongodb
    client http
    mongo mongodb
    mongo-express http → mongo mongodb`,
  'metabase-clickhouse': `
    appdb postgres
    cassandra unknown
    clickhouse unknown
    couchdb http
    influx http
    metabase http → appdb postgres
    questdb http
    redis redis
    scylla unknown
    superset-worker worker → appdb postgres → redis redis
    surrealdb http`,
  'mongo-replicas': `
    app unknown → mongo1 mongodb → mongo2 mongodb → mongo3 mongodb
    mongo-setup one-shot
    mongo1 mongodb
    mongo2 mongodb
    mongo3 mongodb`,
  monitoring: `
    alertmanager http
    blackbox unknown
    cache redis
    cadvisor http
    db postgres
    grafana http → db postgres
    loki http
    node-exporter unknown
    postgres-exporter unknown → db postgres
    prometheus http
    promtail unknown
    redis-exporter unknown → cache redis`,
  'n8n-queue': `
    n8n http → postgres postgres → redis redis
    n8n-worker worker → postgres postgres → redis redis
    postgres postgres
    redis redis`,
  nats: `
    billing unknown → nats tcp → orders http → (backup.example.com) tcp
    jaeger unknown
    nats http
    orders http → nats tcp → otel http
    otel http`,
  'next-prisma': `
    buckets one-shot
    db postgres
    migrate one-shot → db postgres
    s3 http
    studio http → db postgres
    web http → db postgres → s3 http`,
  nextcloud: `
    app unknown → cache redis → db postgres
    cache redis
    cron unknown
    db postgres
    web http`,
  'nginx-proxy': `
    acme-companion unknown
    blog http
    cloudflared unknown
    envoy unknown
    haproxy haproxy
    nginx-proxy http
    npm http`,
  'oauth-stack': `
    app http
    authentik-server http → postgresql postgres → sessions redis
    authentik-worker worker → postgresql postgres → sessions redis
    ldap unknown
    oauth2-proxy http → sessions redis
    phpldapadmin unknown
    postgresql postgres
    sessions redis`,
  'one-shots': `
    api http → db postgres
    bundle build-only
    collectstatic one-shot
    db postgres
    generate-certs one-shot
    init-permissions one-shot
    migrate one-shot → db postgres
    wait-for-db one-shot`,
  pgbouncer: `
    api http → db postgres → pgbouncer postgres
    db postgres
    pgbouncer pooler → db postgres`,
  phoenix: `
    app http → db postgres
    db postgres
    livebook http`,
  'postgres-replication': `
    bitnami-primary postgres
    bitnami-standby postgres → bitnami-primary postgres
    postgres_primary postgres
    postgres_replica postgres`,
  profiles: `
    api http
    assets build-only
    e2e one-shot → web http
    load one-shot
    seed one-shot
    shell build-only
    storybook http
    web http`,
  'rails-kamal': `
    anycable http → app tcp → redis redis
    app http → db mysql
    css build-only
    db mysql
    jobs worker → db mysql
    prepare one-shot → db mysql
    redis redis`,
  'rails-sidekiq': `
    chrome http
    postgres postgres
    rails http → postgres postgres → redis redis
    redis redis
    runner build-only → postgres postgres → redis redis
    sidekiq worker → postgres postgres → redis redis
    webpacker http`,
  'redis-sentinel': `
    app http → sentinel1 tcp → sentinel2 tcp → sentinel3 tcp
    bitnami-sentinel unknown → redis-master redis
    redis-master redis
    redis-replica redis
    sentinel1 unknown
    sentinel2 unknown
    sentinel3 unknown`,
  'secrets-and-configs': `
    db mysql
    ghost http → db mysql → mail tcp
    mail unknown
    web nginx`,
  sentry: `
    clickhouse http
    cron unknown → snuba-api http
    events-consumer worker → snuba-api http
    kafka unknown
    memcached unknown
    nginx nginx
    postgres postgres
    redis redis
    relay unknown
    smtp unknown
    snuba-api http → clickhouse tcp → kafka tcp → redis redis
    snuba-errors-consumer worker → clickhouse tcp → kafka tcp → redis redis
    snuba-migrate one-shot → clickhouse tcp → kafka tcp → redis redis
    web http → snuba-api http
    worker worker → snuba-api http`,
  'spring-keycloak': `
    api http → keycloak http → postgres postgres → rabbitmq amqp → redis redis → zipkin http
    flyway one-shot → postgres postgres
    keycloak http → postgres postgres
    postgres postgres
    rabbitmq rabbitmq
    redis redis
    zipkin http`,
  'static-sites': `
    apache http
    astro build-only
    hugo http
    jekyll build-only
    lighttpd http
    nginx nginx
    sass build-only
    tailwind build-only
    vite http`,
  supabase: `
    analytics http → db postgres
    auth http → db postgres
    db postgres
    functions unknown → db postgres → kong http
    imgproxy http
    kong http
    meta http → db postgres
    realtime http → db postgres
    rest http → db postgres
    storage http → db postgres → imgproxy http → rest http
    studio http → kong http → meta http
    supavisor http → db postgres
    vector http`,
  'sveltekit-turso': `
    app http → sqld http
    bun http
    deno http
    hono unknown
    pm2 unknown
    sqld http`,
  temporal: `
    orders-worker worker → temporal tcp
    postgresql postgres
    temporal unknown → postgresql postgres
    temporal-admin-tools unknown → temporal tcp
    temporal-ui http → temporal tcp`,
  'traefik-labels': `
    hidden unknown
    mysql mysql
    shop http → mysql mysql
    traefik http → shop http → whoami http
    whoami http`,
  'unicode-and-long': `
    datenbank postgres
    groesse-api http → datenbank postgres`,
  'vector-stores': `
    chroma http
    cockroach http
    immich-db postgres
    neo4j unknown
    paradedb postgres
    qdrant http
    rag http → neo4j tcp → qdrant http → timescale postgres → vectors postgres
    timescale postgres
    vectors postgres
    weaviate http
    yugabyte unknown`,
  'vpn-sidecar': `
    gluetun unknown
    plex unknown
    prowlarr unknown
    qbittorrent unknown
    sonarr unknown`,
  'windows-paths': `
    api http → reports postgres
    cache unknown
    reports postgres
    sql unknown
    web nginx`,
  wordpress: `
    cli one-shot → db mysql
    db mysql
    phpmyadmin http → db mysql
    wordpress http → db mysql`,
};
