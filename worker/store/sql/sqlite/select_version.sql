SELECT user_version AS version, sqlite_version() AS server FROM pragma_user_version
