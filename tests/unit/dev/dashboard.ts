/* What Grafana takes for a dashboard of ours, as its own @grafana/schema says.
   JSON has no enums: their values stand for them. Options are those of the panel's own type. */
import type {
  AnnotationQuery, Dashboard, DataQuery, Panel, RowPanel, VariableModel,
} from '@grafana/schema';
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type {
  FieldConfig as TableFields, Options as TableOptions,
} from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type {
  FieldConfig as TimeSeriesFields, Options as TimeSeriesOptions,
} from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type Values<T> = T extends string ? `${T}`
  : T extends (infer Element)[] ? Values<Element>[]
  : T extends object ? { [Name in keyof T]: Values<T[Name]> }
  : T;

interface PrometheusQuery extends Omit<DataQuery, 'datasource'> {
  datasource: { type: 'prometheus'; uid: string };
  expr: string;
  instant?: boolean;
  range?: boolean;
  legendFormat?: string;
  format?: 'time_series' | 'table' | 'heatmap';
}

type Of<Type extends string, Options, Fields> =
  Omit<Panel<Partial<Options>, Fields>, 'type' | 'options' | 'targets'>
  & { type: Type; options?: Partial<Options>; targets: PrometheusQuery[] };

type OurPanel =
  | Of<'stat', StatOptions, {}>
  | Of<'table', TableOptions, TableFields>
  | Of<'timeseries', TimeSeriesOptions, TimeSeriesFields>
  | RowPanel;

/* Prometheus' own fields of an annotation */
interface PrometheusAnnotation extends AnnotationQuery {
  expr: string;
  step?: string;
  titleFormat?: string;
  textFormat?: string;
  tagKeys?: string;
  useValueForTime?: boolean;
}

/* those of an interval alone, which Grafana's builders write for every variable */
interface OurVariable extends VariableModel {
  auto?: boolean;
  auto_count?: number;
  auto_min?: string;
}

export type OurDashboard = Values<
  Omit<Dashboard, 'annotations' | 'panels' | 'templating'> & {
    annotations: { list: PrometheusAnnotation[] };
    panels: OurPanel[];
    templating: { list: OurVariable[] };
  }
>;
