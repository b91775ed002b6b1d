# PostgreSQL and Redis on subvolumes of their own: their snapshots are taken together, four times an hour.
{ config, lib, ... }:
{
  services.subvault = {
    # The programs that the hooks start.
    path = [
      config.services.postgresql.package
      config.services.redis.package
    ];

    settings = {
      subvolume.postgresql = {
        path = "/var/lib/postgresql";
        keep = lib.mapAttrs (_: lib.mkDefault) {
          within = "6 hours";
          hourly = 48;
        };
      };
      subvolume.redis.path = "/var/lib/redis";
      hook.postgresql.preset = "postgresql";
      hook.redis.preset = "redis";
      group.databases = {
        subvolumes = [
          "postgresql"
          "redis"
        ];
        hooks = [
          "postgresql"
          "redis"
        ];
        snapshot = lib.mkDefault "*:0/15";
      };
    };
  };

  services.postgresql.enable = lib.mkDefault true;
  services.redis.servers."".enable = lib.mkDefault true;
}
