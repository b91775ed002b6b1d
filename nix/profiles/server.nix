# What is kept on servers: 30 days, 12 weeks, 12 months. They send at night.
{ lib, ... }:
{
  services.subvault.settings = {
    schedule = lib.mapAttrs (_: lib.mkDefault) {
      snapshot = "hourly";
      send = "02:00";
    };
    keep = lib.mapAttrs (_: lib.mkDefault) {
      hourly = 24;
      daily = 30;
      weekly = 12;
      monthly = 12;
    };
  };
}
