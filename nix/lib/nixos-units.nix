# Units as NixOS takes them: what it has options for is said there, so that other modules can add to it.
{ lib }:
units:
let
  ofKind =
    suffix:
    lib.mapAttrs' (name: unit: lib.nameValuePair (lib.removeSuffix suffix name) unit) (
      lib.filterAttrs (name: _: lib.hasSuffix suffix name) units
    );

  common = unit: {
    description = unit.Unit.Description;
    documentation = unit.Unit.Documentation;
    after = unit.Unit.After or [ ];
    wants = unit.Unit.Wants or [ ];
  };
in
{
  services = lib.mapAttrs (
    _: unit:
    common unit
    // {
      serviceConfig = unit.Service;
      # A run that sends for days is not ended because the system was rebuilt.
      restartIfChanged = false;
      stopIfChanged = false;
    }
  ) (ofKind ".service");

  timers = lib.mapAttrs (
    _: unit:
    common unit
    // {
      timerConfig = unit.Timer;
      wantedBy = unit.Install.WantedBy;
    }
  ) (ofKind ".timer");

  slices = lib.mapAttrs (
    _: unit:
    removeAttrs (common unit) [
      "after"
      "wants"
    ]
    // {
      sliceConfig = unit.Slice;
    }
  ) (ofKind ".slice");
}
