SELECT count(*) AS count FROM workers WHERE last_heartbeat > :long_ago
