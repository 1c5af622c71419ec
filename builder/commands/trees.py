"""rpmbuild trees to look into, or to build by hand as the seed document does."""

from __future__ import annotations

import shlex

from builder.commands import outputs
from builder.commands.foresight import foresee
from builder.commands.goals import Goals
from builder.host.removal import remove
from builder.place import Place
from builder.rpm import tree as rpm_tree
from builder.stages.packaging import packaging
from builder.stages.request import Request, choose
from builder.stages.session import open_session


def lay_out(request: Request, goals: Goals, names: tuple[str, ...], place: Place) -> list[str]:
    """A complete tree (SOURCES, SPECS, ``.rpmmacros``) per component; returns lines to print.

    Trees are in ``artifacts/<profile>/tree/<component>/`` and are made again each time.
    """
    goals(choose(place.project, request))  # refuses unknown components
    if request.dry:
        return foresee(request, goals, place)
    with (
        open_session(request, place) as session,
        outputs.published_if_failing(session),
    ):
        setting, project = session.setting, place.project
        lines: list[str] = []
        for name in names or tuple(setting.build.parts):
            part = setting.build.parts[name]
            manner = packaging(setting, part)
            done = session.settle(*manner.needs, read=manner.needs)
            home = project.artifacts(setting.build.profile) / "tree" / name
            remove(home, project.artifacts(setting.build.profile))
            tree = rpm_tree.lay(home)
            manner.fill(tree.sources, done)
            rpm_tree.write_spec(tree.specs / f"{part.package}.spec", manner.spec(done))
            words = ("rpmbuild", "-ba", *manner.options, f"{tree.specs / part.package}.spec")
            lines.append(f"{name}: HOME={home} {shlex.join(words)}")
        return lines
