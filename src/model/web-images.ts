/** Images that are known to answer HTTP, and on which port unless they are told otherwise. Of no use for what runs another program of the image. */
import { imageName } from './image-ref.ts';

/** What also speaks HTTPS from its first start (Elasticsearch, OpenSearch) or FastCGI (`…-fpm`) is not among them. */
const WEB_IMAGES: [port: number, names: RegExp][] = [
  // Mail catchers.
  [8025, /^(mailpit|mailhog)$/],
  [1080, /^(maildev|mailcatcher)$/],
  [80, /^smtp4dev$/],
  [9000, /^inbucket$/],
  // Windows into stores and brokers.
  [80, /^(pgadmin4|phpmyadmin)$/],
  [8080, /^(adminer|kafka-ui|akhq|dozzle)$/],
  [8081, /^(mongo-express|redis-commander|pgweb)$/],
  [5540, /^redisinsight$/],
  [8978, /^cloudbeaver$/],
  [9000, /^(kafdrop|portainer|portainer-ce|portainer-ee)$/],
  [5555, /^flower$/],
  [9181, /^rq-dashboard$/],
  // Proxies.
  [80, /^(caddy|traefik|whoami|nginx-proxy|httpbin|httpd)$/],
  [81, /^nginx-proxy-manager$/],
  [8000, /^kong$/],
  [4180, /^oauth2-proxy$/],
  // Watching.
  [9090, /^prometheus$/],
  [9093, /^alertmanager$/],
  [9091, /^pushgateway$/],
  [3000, /^grafana(-oss|-enterprise)?$/],
  [3100, /^loki$/],
  [9411, /^zipkin(-slim)?$/],
  [8080, /^cadvisor$/],
  [3001, /^uptime-kuma$/],
  // Searching and keeping.
  [7700, /^meilisearch$/],
  [8108, /^typesense$/],
  [6333, /^qdrant$/],
  [8080, /^weaviate$/],
  [8000, /^chroma$/],
  [8983, /^solr$/],
  [5984, /^couchdb$/],
  [8086, /^influxdb$/],
  [5601, /^(kibana|opensearch-dashboards)$/],
  [9000, /^minio$/],
  [5000, /^registry$/],
  [4566, /^localstack(-pro)?$/],
  [9324, /^elasticmq(-native)?$/],
  [10_000, /^azurite$/],
  [8000, /^dynamodb-local$/],
  // Programs that people run as they are.
  [8200, /^vault$/],
  [8500, /^consul$/],
  [8080, /^(keycloak|jenkins|graphql-engine|swagger-ui|wiremock|open-webui)$/],
  [2368, /^ghost$/],
  [3000, /^(gitea|forgejo|metabase|umami|postgrest|imaginary|gotenberg)$/],
  [5678, /^n8n$/],
  [8055, /^directus$/],
  [8088, /^superset$/],
  [9000, /^sonarqube$/],
  [8069, /^odoo$/],
  [80, /^(wordpress|nextcloud|matomo|drupal|joomla|vaultwarden)$/],
  [8123, /^home-assistant$/],
  [2283, /^immich-server$/],
  [11_434, /^ollama$/],
  [4444, /^standalone-(chrome|chromium|firefox|edge)$/],
];

/** `null`: not known to answer HTTP. */
export const webPortOf = (image: string): number | null => {
  const { name, tag } = imageName(image);
  if (/(^|-)(fpm|cli)(-|$)/.test(tag)) return null;
  return WEB_IMAGES.find(([, names]) => names.test(name))?.[0] ?? null;
};
