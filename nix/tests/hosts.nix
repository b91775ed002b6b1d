# The example hosts: each is a system that nothing is wrong with, and says what is asked of it.
{ lib }:
let
  system = import ./system.nix { inherit lib; };
  hosts = lib.mapAttrs (_: host: system [ host ]) (import ../hosts);

  said = lib.mapAttrs (_: host: builtins.fromTOML host.configuration) hosts;

  keeps = name: { inherit (said.${name}.keep) daily weekly monthly; };
  laptop = {
    daily = 7;
    weekly = 4;
    monthly = 12;
  };
  server = {
    daily = 30;
    weekly = 12;
    monthly = 12;
  };

  target = name: builtins.head said.${name}.target;
  paths = name: map (subvolume: subvolume.path) said.${name}.subvolume;
in
{
  testNothingIsWrongWithAny = {
    expr = builtins.concatMap (host: host.failed) (builtins.attrValues hosts);
    expected = [ ];
  };

  testEachIsCalledByItsName = {
    expr = lib.mapAttrs (name: host: [
      host.hostName
      said.${name}.host.name
    ]) hosts;
    expected = lib.mapAttrs (name: _: [
      name
      name
    ]) hosts;
  };

  testRetention = {
    expr = lib.mapAttrs (name: _: keeps name) hosts;
    expected = {
      zephyrus = laptop;
      yoga = laptop;
      hetzner = server;
      contabo = server;
      ovh = server;
      impermanent = server;
    };
  };

  testRentedMachinesSendOneAfterTheOther = {
    expr = map (name: (target name).schedule) [
      "hetzner"
      "contabo"
      "ovh"
    ];
    expected = [
      "02:00"
      "03:00"
      "04:00"
    ];
  };

  testRentedMachinesSendSlowly = {
    expr = lib.unique (
      map (name: (target name).bandwidth) [
        "hetzner"
        "contabo"
        "ovh"
      ]
    );
    expected = [ "10 Mbit/s" ];
  };

  testEachIsEncrypted = {
    expr = builtins.all (name: (target name).recipients != [ ]) (builtins.attrNames hosts);
    expected = true;
  };

  testOnlyProductionHasDatabases = {
    expr = builtins.filter (name: said.${name} ? group) (builtins.attrNames hosts);
    expected = [ "hetzner" ];
  };

  testDatabasesAreTakenTogether = {
    expr = (builtins.head said.hetzner.group);
    expected = {
      name = "databases";
      subvolumes = [
        "postgresql"
        "redis"
      ];
      hooks = [
        "postgresql"
        "redis"
      ];
      snapshot = "*:0/15";
    };
  };

  # What is looked after is mounted: a subvolume of the layout, or a directory that is one by itself.
  testWhatIsLookedAfterIsASubvolumeOfTheLayout = {
    expr =
      let
        mounted =
          name:
          builtins.concatMap (
            disk:
            builtins.concatMap (
              partition:
              map (sub: sub.mountpoint or null) (
                builtins.attrValues (partition.content.subvolumes or { })
              )
            ) (builtins.attrValues disk.content.partitions)
          ) (builtins.attrValues hosts.${name}.disko.devices.disk);
      in
      lib.mapAttrs (
        name: _: builtins.filter (path: !(builtins.elem path (mounted name))) (paths name)
      ) hosts;
    expected = lib.mapAttrs (_: _: [ ]) hosts;
  };

  testTheRootThatDoesNotLastIsNotLookedAfter = {
    expr = builtins.elem "/" (paths "impermanent");
    expected = false;
  };

  testSourcesAreOverwrittenInPlaceWhereItIsAsked = {
    expr = builtins.filter (name: builtins.elem "h /home/ada/dev - - - - +C" hosts.${name}.tmpfiles) (
      builtins.attrNames hosts
    );
    expected = [ "zephyrus" ];
  };
}
