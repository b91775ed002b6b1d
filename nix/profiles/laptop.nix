# What is kept on laptops: 7 days, 4 weeks, 12 months, and the hours of the last day, since at most one may be lost.
{ lib, ... }:
{
  services.subvault.settings = {
    schedule = lib.mapAttrs (_: lib.mkDefault) {
      snapshot = "hourly";
      send = "daily";
    };
    keep = lib.mapAttrs (_: lib.mkDefault) {
      hourly = 24;
      daily = 7;
      weekly = 4;
      monthly = 12;
    };
  };
}
