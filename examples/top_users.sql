CREATE TABLE user_clicks (user_id BIGINT, cURL STRING, proctime AS PROCTIME())
  WITH ('connector'='kafka', 'topic'='user_clicks', 'properties.bootstrap.servers'='localhost:9092',
        'properties.group.id'='top_users', 'scan.startup.mode'='earliest-offset', 'format'='json');
CREATE TABLE top_users (user_id BIGINT, cnt BIGINT, window_start TIMESTAMP(3), window_end TIMESTAMP(3))
  WITH ('connector'='kafka', 'topic'='top_users', 'properties.bootstrap.servers'='localhost:9092', 'format'='json');
INSERT INTO top_users
SELECT user_id, COUNT(cURL) AS cnt, window_start, window_end
FROM TABLE(TUMBLE(TABLE user_clicks, DESCRIPTOR(proctime), INTERVAL '30' MINUTE))
GROUP BY window_start, window_end, user_id;
